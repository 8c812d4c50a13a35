"""Whether the cluster's pipelines server runs a compiled pipeline as it is meant."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from modelcar.bootstrap.found import SERVERS, pipelines_servers
from modelcar.look import items, look
from modelcar.preflight.compiled import Compiled, Version
from modelcar.preflight.finding import Finding

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_CLUSTERS: Final = "datascienceclusters"
_OPERATOR: Final = re.compile(r"rhods-operator\.v?(\d+)\.(\d+)")
_NAME: Final = "OpenShift AI"


def server(api: "ApiClient", namespace: str) -> tuple[str, Finding]:
    """Return the name of the namespace's pipelines server, nothing without one, and what to say."""
    found = pipelines_servers(api, namespace)
    if found is None:
        return "", Finding("pipelines_server", "unknown", "it may not be looked up")
    if found:
        return str(found[0]["metadata"]["name"]), _ready(found[0])
    remedy = "make one in the dashboard: Pipelines, Configure pipeline server"
    return "", Finding("pipelines_server", "warning", "there is none", remedy)


def version(api: "ApiClient", namespace: str, pipeline: Compiled | None) -> Iterator[Finding]:
    """Compare the release of OpenShift AI with what the compiled pipeline asks of its server."""
    if pipeline is None:
        return
    release = _release(api, namespace)
    if release is None:
        what = "which OpenShift AI this is may not be read"
        remedy = f"{pipeline.path} wants {_told(pipeline.least)} or newer"
        yield Finding("pipelines_version", "unknown", what, remedy)
        return
    beyond = [f"{one.what} ({_told(one.since)})" for one in pipeline.asked if one.since > release]
    if beyond:
        remedy = f"upgrade to {_told(pipeline.least)} or newer"
        what = f"{_NAME} {_told(release)} knows no {', '.join(beyond)} of {pipeline.path}"
        yield Finding("pipelines_version", "failed", what, remedy)
    else:
        what = f"{_NAME} {_told(release)} runs {pipeline.path} ({pipeline.sdk})"
        yield Finding("pipelines_version", "ok", what)


def _ready(pipelines_server: dict[str, Any]) -> Finding:
    """Say whether it is ready; one that says nothing of that is taken for it."""
    name = pipelines_server["metadata"]["name"]
    for one in (pipelines_server.get("status") or {}).get("conditions") or ():
        if one["type"] == "Ready" and one["status"] != "True":
            why = one.get("message") or one.get("reason") or "no reason is given"
            remedy = f"read `oc describe {SERVERS} {name}`"
            return Finding("pipelines_server", "warning", f"{name} is not ready: {why}", remedy)
    return Finding("pipelines_server", "ok", f"{name} is there")


def _release(api: "ApiClient", namespace: str) -> Version | None:
    """Return the release that the operator states, or that its CSV is named by; None if hidden.

    Open Data Hub counts otherwise, and is not compared.
    """
    for version in ("v2", "v1"):
        path = f"/apis/{_CLUSTERS.removesuffix('s')}.opendatahub.io/{version}/{_CLUSTERS}"
        for one in items(look(api, path)) or ():
            release = (one.get("status") or {}).get("release") or {}
            if _NAME in str(release.get("name")):
                return _parsed(str(release.get("version")))
    path = f"/apis/operators.coreos.com/v1alpha1/namespaces/{namespace}/clusterserviceversions"
    for one in items(look(api, path)) or ():
        if match := _OPERATOR.match(one["metadata"]["name"]):
            return int(match[1]), int(match[2])
    return None


def _parsed(text: str) -> Version | None:
    match = re.match(r"(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def _told(version: Version) -> str:
    return f"{version[0]}.{version[1]}"
