"""The controllers of a cluster, as far as a page meets them, and an API server made empty again."""

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final, Self

from tests import canary
from tests.servers.kserve import MERGE
from tests.servers.kube import Gone, KubeServer

PUSH_TOKEN: Final = canary.secret("push")
_OWN: Final = frozenset(("default", "kube-system", "kube-public", "kube-node-lease"))


class Controller:
    """Acts upon each object of a kind in any namespace when it is new, as a context manager."""

    def __init__(
        self, kube: KubeServer, plural: str, act: Callable[[KubeServer, dict[str, Any]], object]
    ) -> None:
        self._kube, self._plural, self._act = kube, plural, act
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        from kubernetes.client import CoreV1Api
        from kubernetes.watch import Watch

        listing = getattr(CoreV1Api(self._kube.client()), f"list_{self._plural}_for_all_namespaces")
        done: set[str] = set()
        while not self._stop.is_set():
            for event in Watch().stream(listing, timeout_seconds=1):
                found = event["raw_object"]
                if event["type"] == "ADDED" and found["metadata"]["uid"] not in done:
                    done.add(found["metadata"]["uid"])
                    with suppress(Gone):
                        self._act(self._kube, found)


def bind(kube: KubeServer, claim: dict[str, Any]) -> None:
    """Give a volume claim the room that it asks for, as a provisioner does."""
    room = claim["spec"]["resources"]["requests"]["storage"]
    status = {"phase": "Bound", "capacity": {"storage": room}}
    kube.request(
        "PATCH", f"{_path(claim, 'persistentvolumeclaims')}/status", {"status": status}, MERGE
    )


def write_token(kube: KubeServer, secret: dict[str, Any]) -> None:
    """Write the token of a service account into the Secret that asks for it."""
    if secret["type"] == "kubernetes.io/service-account-token" and "data" not in secret:
        data = {"token": base64.b64encode(PUSH_TOKEN.encode()).decode()}
        kube.request("PATCH", _path(secret, "secrets"), {"data": data}, MERGE)


def _path(found: dict[str, Any], kind: str) -> str:
    at = found["metadata"]
    return f"/api/v1/namespaces/{at['namespace']}/{kind}/{at['name']}"


def empty(kube: KubeServer) -> None:
    """Delete all that stands in namespaces that are not Kubernetes' own, and these; all nodes."""
    for path, kind in list(_kinds(kube)):
        for namespace in _clear(kube, path, kind):
            kube.request("DELETE", f"{path}/namespaces/{namespace}/{kind}?gracePeriodSeconds=0")
    for found in kube.request("GET", "/api/v1/namespaces")["items"]:
        if (name := found["metadata"]["name"]) not in _OWN:
            kube.request("DELETE", f"/api/v1/namespaces/{name}")
            gone = {"metadata": {"name": name}, "spec": {}}
            kube.request("PUT", f"/api/v1/namespaces/{name}/finalize", gone)
    kube.request("DELETE", "/api/v1/nodes")
    kube.request("DELETE", "/apis/datasciencecluster.opendatahub.io/v1/datascienceclusters")
    ours = "labelSelector=app.kubernetes.io/managed-by%3Dmodelcar-pipelines"
    for kind in ("clusterroles", "clusterrolebindings"):
        kube.request("DELETE", f"/apis/rbac.authorization.k8s.io/v1/{kind}?{ours}")


def _clear(kube: KubeServer, path: str, kind: str) -> set[str]:
    """Take the finalizers from all of a kind, and return the namespaces that have some."""
    namespaces = set()
    for one in kube.request("GET", f"{path}/{kind}")["items"]:
        at = one["metadata"]
        if at["namespace"] in _OWN:
            continue
        namespaces.add(at["namespace"])
        if at.get("finalizers"):
            patch = {"metadata": {"finalizers": None}}
            place = f"{path}/namespaces/{at['namespace']}/{kind}/{at['name']}"
            kube.request("PATCH", place, patch, MERGE)
    return namespaces


def _kinds(kube: KubeServer) -> Iterator[tuple[str, str]]:
    """Yield path and plural of each kind that stands in namespaces."""
    groups = kube.request("GET", "/apis")["groups"]
    versions = [f"/apis/{one['groupVersion']}" for group in groups for one in group["versions"]]
    for path in ("/api/v1", *versions):
        for one in kube.request("GET", path)["resources"]:
            if one["namespaced"] and "deletecollection" in one["verbs"] and one["name"] != "events":
                yield path, one["name"]
