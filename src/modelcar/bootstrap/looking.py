"""What the objects of one namespace are made of: what is asked for, and what the cluster says."""

import base64
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from modelcar.bootstrap import found
from modelcar.bootstrap.applying import because
from modelcar.bootstrap.asked import Request, model_registry
from modelcar.bootstrap.found import ModelRegistry
from modelcar.bootstrap.objects import MODEL_REGISTRIES, Names
from modelcar.bootstrap.secrets import AUTH, MODEL_REGISTRY, Given
from modelcar.cluster import APPLICATIONS
from modelcar.errors import DeployError
from modelcar.look import look as see
from modelcar.model_registry import Connection
from modelcar.parameters import INTERNAL

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)

_RUNNER: Final = "pipeline-runner-"
_LOGINS: Final = ("quay-push", "quay-pull", "registry-auth")
"""The predecessor's secret, and those of a run before; the later counts."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found; `hidden` says which logins stand that cannot be known."""

    names: Names
    given: Given
    hidden: str = ""


@dataclass(frozen=True, slots=True)
class _Logins:
    auths: Mapping[str, Any] = field(default_factory=dict, repr=False)
    hidden: str = ""


def look(api: "ApiClient", asked: Request) -> Looked:
    """Find the pipelines server and the Model Registry, and read the values.

    Raises UsageError for what is no address or no CA file, DeployError where there are several
    Model Registries to choose from.
    """
    url, ca = model_registry(asked)
    chosen = _model_registry(api, url)
    logins = _logins(api, asked.namespace)
    given = Given(
        hub_token=asked.values.get("HF_TOKEN", ""),
        quay_user=asked.values.get("QUAY_USERNAME", ""),
        quay_password=asked.values.get("QUAY_PASSWORD", ""),
        model_registry=chosen.url,
        model_registry_ca=ca or _ca(api, asked.namespace, chosen.url),
        auths={host: login for host, login in logins.auths.items() if host != INTERNAL},
        inside={host: login for host, login in logins.auths.items() if host == INTERNAL},
    )
    return Looked(_names(api, asked, chosen), given, logins.hidden)


def _names(api: "ApiClient", asked: Request, model_registry: ModelRegistry) -> Names:
    return Names(
        asked.namespace,
        runner=_runner(api, asked.namespace),
        model_registry=model_registry.name,
        model_registries=model_registry.namespace,
        applications=_place(api, APPLICATIONS),
        pvc=asked.site.pvc,
        pvc_size=asked.pvc_size,
        storage_class=asked.storage_class,
    )


def _logins(api: "ApiClient", namespace: str) -> _Logins:
    """Return the logins that stand already, so that a run without a .env file takes none away."""
    from kubernetes.client.rest import ApiException

    auths: dict[str, Any] = {}
    for name in _LOGINS:
        try:
            auths |= _auths(found.secret(api, namespace, name) or {})
        except ApiException as error:
            if error.status == 403:
                return _Logins(hidden=f"the logins in {name} would be lost: {because(error)}")
            raise
    return _Logins(auths)


def _model_registry(api: "ApiClient", url: str) -> ModelRegistry:
    """Return the Model Registry that `url` names, else the only one whose Route is seen."""
    known = found.model_registries(api)
    if url:
        return _named(api, Connection(url).url, known)
    if len(known) == 1:
        log.info("the Model Registry %s is at %s", known[0].name, known[0].url)
        return known[0]
    if known:
        why = f"there are several: {', '.join(one.url for one in known)}"
        raise DeployError("choosing the Model Registry", why, "name one in MODEL_REGISTRY_URL")
    log.warning("no Model Registry's Route is seen; set MODEL_REGISTRY_URL to register")
    return ModelRegistry("", "", MODEL_REGISTRIES[0])


def _named(api: "ApiClient", url: str, known: Sequence[ModelRegistry]) -> ModelRegistry:
    host = urlsplit(url).hostname
    for one in known:
        if urlsplit(one.url).hostname == host:
            return ModelRegistry(one.name, url, one.namespace)
    name = found.name_of(url)
    if not name:
        what = "%s: its name is not known; bind the account to its Role registry-user-NAME"
        log.warning(what, url)
        return ModelRegistry("", url, MODEL_REGISTRIES[0])
    return ModelRegistry(name, url, _place(api, MODEL_REGISTRIES))


def _place(api: "ApiClient", candidates: tuple[str, str]) -> str:
    """Return which of the two is there: OpenShift AI's namespace, else Open Data Hub's.

    Of what may not be looked up, OpenShift AI's is taken to be there.
    """
    looked = {name: see(api, f"/api/v1/namespaces/{name}") for name in candidates}
    for name, there in looked.items():
        if isinstance(there, dict):
            return name
    for name, there in looked.items():
        if there == "hidden":
            log.warning("namespace %s may not be looked up; taking it to be there", name)
            return name
    return candidates[0]


def _runner(api: "ApiClient", namespace: str) -> str:
    """Return the service account that the pipelines server runs tasks as, or will."""
    servers = found.pipelines_servers(api, namespace)
    if servers:
        return f"{_RUNNER}{servers[0]['metadata']['name']}"
    usual = Names().runner
    if servers is not None:
        log.warning("%s has no pipelines server yet; %s gets the rights", namespace, usual)
        return usual
    seen = [one for one in found.accounts(api, namespace) if one.startswith(_RUNNER)]
    runner = seen[0] if len(seen) == 1 else usual
    why = "its pipelines server may not be looked up"
    log.warning("%s: %s; %s gets the rights", namespace, why, runner)
    return runner


def _ca(api: "ApiClient", namespace: str, url: str) -> str:
    """Return the CA certificates of the cluster's Routes, else those of a run before."""
    from kubernetes.client.rest import ApiException

    if not url:
        return ""
    if pem := found.ingress_ca(api):
        return pem
    try:
        before = found.secret(api, namespace, MODEL_REGISTRY) or {}
    except ApiException as error:
        if error.status == 403:
            return ""  # nor can the secret be applied, which says so
        raise
    return _text(before, "ca.crt") if _text(before, "url") == url else ""


def _text(data: Mapping[str, str], key: str) -> str:
    return base64.b64decode(data.get(key, "")).decode(errors="replace")


def _auths(data: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what an auth file holds, nothing for one that cannot be read."""
    try:
        text = base64.b64decode(data.get(AUTH, ""))
        auths = json.loads(text)["auths"] if text else {}
    except (ValueError, KeyError, TypeError):
        log.warning("a secret of logins is no auth file, and is left out")
        return {}
    return auths if isinstance(auths, dict) else {}
