"""Making a namespace ready for the pipeline, and taking back what was made."""

import base64
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from modelcar.bootstrap import found, objects, pull_secret, secrets
from modelcar.bootstrap.applying import Applier, Outcome
from modelcar.bootstrap.objects import Manifest, Names
from modelcar.bootstrap.secrets import Given
from modelcar.cluster import asking
from modelcar.errors import DeployError
from modelcar.model_registry import Connection
from modelcar.parameters import INTERNAL
from modelcar.serving import runtime
from modelcar.serving.objects import Objects
from modelcar.values import Serving

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)

_PULLING: Final = {"name": pull_secret.SECRET}
_EVERY: Final = Given("x", "x", "x", "x", "x", "x")
"""With this, each secret is made: to name them all."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: where, and the values of a .env file."""

    namespace: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    pvc_size: str = "100Gi"
    storage_class: str = ""
    adopt: bool = False
    dry_run: bool = False
    with_pvc: bool = False
    """When removing: the volume claim too, and what lies on it."""


def bootstrap(api: "ApiClient", asked: Request) -> Iterator[Outcome]:
    """Yield what became of each object; raise DeployError where the API server does not answer.

    What needs more rights than the user has is refused by itself, and the rest goes on.
    """
    with asking(f"making {asked.namespace} ready"):
        names, given = _look(api, asked)
        applier = Applier(api, asked.namespace, asked.adopt, asked.dry_run)
        for manifest in objects.namespaced(names):
            yield applier.apply(manifest)
        for secret in secrets.secrets(_with_push_token(api, asked, given)):
            yield applier.apply(secret)
        yield from _linked(api, asked, given)
        yield _runtime(api, asked)
        for manifest in objects.elsewhere(names):
            yield applier.apply(manifest)


def remove(api: "ApiClient", asked: Request) -> Iterator[Outcome]:
    """Yield what became of each object that `bootstrap` makes; another's is kept.

    The volume claim is kept unless asked for. ClusterRole and template Role serve others too.
    """
    with asking(f"taking back what made {asked.namespace} ready"):
        applier = Applier(api, asked.namespace, dry_run=asked.dry_run)
        if applier.made({"apiVersion": "v1", "kind": "Secret", "metadata": _PULLING}):
            yield pull_secret.unlink(api, asked.namespace, asked.dry_run)
        for manifest in _removable(asked):
            yield applier.remove(manifest)
        if not asked.dry_run:
            for name in runtime.remove_unused(Objects(api, asked.namespace)):
                yield Outcome("ServingRuntime", name, asked.namespace, "deleted")


def _removable(asked: Request) -> Iterator[Manifest]:
    """Yield all that may have been made, first what stands in the namespace itself."""
    names = Names(asked.namespace, model_registry="any")
    yield from secrets.secrets(_EVERY)
    for manifest in reversed(objects.namespaced(names)):
        if asked.with_pvc or manifest["kind"] != "PersistentVolumeClaim":
            yield manifest
    yield from (one for one in objects.elsewhere(names) if one["kind"].endswith("Binding"))


def _look(api: "ApiClient", asked: Request) -> tuple[Names, Given]:
    """Find the pipelines server and the Model Registry, and read the values."""
    server = found.pipelines_server(api, asked.namespace)
    if not server:
        log.warning("%s: no pipelines server is seen; taking `dspa` for it", asked.namespace)
    name, url = _model_registry(api, asked.values.get("MODEL_REGISTRY_URL", ""))
    names = Names(
        asked.namespace,
        runner=f"pipeline-runner-{server or 'dspa'}",
        model_registry=name,
        pvc_size=asked.pvc_size,
        storage_class=asked.storage_class,
    )
    given = Given(
        hub_token=asked.values.get("HF_TOKEN", ""),
        quay_user=asked.values.get("QUAY_USERNAME", ""),
        quay_password=asked.values.get("QUAY_PASSWORD", ""),
        model_registry=url,
        model_registry_ca=found.ingress_ca(api) if url else "",
        auths=_kept(api, asked.namespace),
    )
    return names, given


def _kept(api: "ApiClient", namespace: str) -> Mapping[str, Any]:
    """Return the logins that stand already: the predecessor's, and those of a run before.

    A run without a .env file takes none away.
    """
    before = {
        host: login
        for name in ("quay-push", "quay-pull", "registry-auth")
        for host, login in _auths(found.secret(api, namespace, name)).items()
    }
    return {host: login for host, login in before.items() if host != INTERNAL}


def _model_registry(api: "ApiClient", url: str) -> tuple[str, str]:
    """Return name and address: those of the Route that `url` names, or of the only one.

    Raises UsageError for what is no address.
    """
    known = found.model_registries(api)
    if url:
        address = Connection(url).url
        name = found.name_of(address)
        if not name:
            log.warning("%s: its name is not known, and nobody is bound to its Role", address)
        return name, address
    if len(known) == 1:
        log.info("the Model Registry %s is at %s", known[0].name, known[0].url)
        return known[0].name, known[0].url
    if known:
        several = ", ".join(one.url for one in known)
        raise DeployError(
            "choosing the Model Registry", f"there are {several}", "set MODEL_REGISTRY_URL"
        )
    log.warning("no Model Registry's Route is seen; set MODEL_REGISTRY_URL to register")
    return "", ""


def _with_push_token(api: "ApiClient", asked: Request, given: Given) -> Given:
    name = f"{objects.PUSHER}-token"
    token = found.secret(api, asked.namespace, name).get("token", "")
    if not token:
        log.warning("%s: no token yet to push inside; run again for it", name)
    return replace(given, push_token=base64.b64decode(token).decode())


def _auths(data: Mapping[str, str]) -> Mapping[str, Any]:
    """Return what an auth file holds, nothing for one that cannot be read."""
    try:
        text = base64.b64decode(data.get(".dockerconfigjson", ""))
        auths = json.loads(text)["auths"] if text else {}
    except (ValueError, KeyError, TypeError):
        log.warning("a secret of logins is no auth file, and is left out")
        return {}
    return auths if isinstance(auths, dict) else {}


def _linked(api: "ApiClient", asked: Request, given: Given) -> Iterator[Outcome]:
    if given.auths or given.quay_user:
        yield pull_secret.link(api, asked.namespace, asked.dry_run)


def _runtime(api: "ApiClient", asked: Request) -> Outcome:
    name = Serving().runtime
    where = ("ServingRuntime", name, asked.namespace)
    there = Objects(api, asked.namespace)
    if there.runtime_status(name) == 200:
        return Outcome(*where, "unchanged")
    if asked.dry_run:
        return Outcome(*where, "created", "from the cluster's template, if it may be read")
    try:
        with asking(f"creating {name}"):
            runtime.ensure(there, name)
    except DeployError as error:
        return Outcome(*where, "refused", f"{error.why}; {error.remedy}")
    if there.runtime_status(name) == 200:
        return Outcome(*where, "created")
    return Outcome(*where, "absent", "it may not be looked up, or is the cluster's own")
