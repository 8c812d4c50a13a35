"""Taking back what made a namespace ready."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from modelcar.bootstrap import objects, pull_secret, secrets
from modelcar.bootstrap.applying import Applier, Outcome
from modelcar.bootstrap.asked import Request
from modelcar.bootstrap.objects import Manifest, Names
from modelcar.bootstrap.secrets import Given
from modelcar.cluster import APPLICATIONS, asking
from modelcar.serving import runtime
from modelcar.serving.objects import Objects

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_PULLING: Final = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": pull_secret.SECRET}}
_EVERY: Final = Given("x", "x", "x", "x", "x", "x")
"""With this, each secret is made: to name them all."""


def remove(api: "ApiClient", asked: Request) -> Iterator[Outcome]:
    """Yield what became of each object that `bootstrap` makes; another's is kept.

    The volume claim is kept unless asked for, a role outside the namespace while others have it.
    """
    with asking(f"taking back what made {asked.namespace} ready"):
        applier = Applier(api, asked.namespace, dry_run=asked.dry_run)
        if applier.made(_PULLING):
            yield pull_secret.unlink(api, asked.namespace, asked.dry_run)
        for manifest in _inside(asked):
            yield applier.remove(manifest)
        yield from _elsewhere(applier, _elsewhere_of(asked.namespace))
        if not asked.dry_run:
            for name in runtime.remove_unused(Objects(api, asked.namespace)):
                yield Outcome("ServingRuntime", name, asked.namespace, "deleted")


def _inside(asked: Request) -> Iterator[Manifest]:
    """Yield all that may have been made in the namespace itself."""
    yield from secrets.secrets(_EVERY)
    for manifest in reversed(objects.namespaced(Names(asked.namespace, pvc=asked.site.pvc))):
        if asked.with_pvc or manifest["kind"] != "PersistentVolumeClaim":
            yield manifest


def _elsewhere_of(namespace: str) -> Iterator[Manifest]:
    """Yield all that may have been made outside it, OpenShift AI's places and Open Data Hub's."""
    yield from objects.cluster_wide(Names(namespace))
    for applications, registries in zip(APPLICATIONS, objects.MODEL_REGISTRIES, strict=True):
        yield from objects.beside(Names(namespace, "", "any", registries, applications))


def _elsewhere(applier: Applier, manifests: Iterator[Manifest]) -> Iterator[Outcome]:
    """Remove the bindings, then those roles that no other binding names."""
    roles, gone = [], list[Outcome]()
    for manifest in manifests:
        if manifest["kind"].endswith("Binding"):
            outcome = applier.remove(manifest)
            gone += [outcome] if outcome.state == "deleted" else []
            yield outcome
        else:
            roles.append(manifest)
    for role in roles:
        yield applier.remove_unbound(role, gone)
