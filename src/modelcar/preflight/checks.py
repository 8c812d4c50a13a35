"""All checks of one model on one site, in the order in which a run would meet them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelcar import trust
from modelcar.errors import UsageError
from modelcar.hub import Hub
from modelcar.preflight import images
from modelcar.preflight.cluster import Namespace
from modelcar.preflight.finding import Check, Finding, run
from modelcar.preflight.source import Planned, model_registry
from modelcar.site import Site
from modelcar.values import Model
from modelcar.workfolder import WorkFolder

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from modelcar.model_registry import Connection


@dataclass(frozen=True, slots=True)
class Setting:
    """What is checked; without `api` nothing of the cluster is."""

    site: Site
    work: WorkFolder
    hub: Hub
    namespace: str = ""
    api: "ApiClient | None" = None
    connection: "Connection | None" = None


def findings(model: Model, setting: Setting) -> Iterator[Finding]:
    """Yield each finding as soon as it is there; none of ours is raised."""
    planned = Planned(model, setting.work, setting.hub)
    yield from run(_trust, "ca")
    yield from run(planned.check, "source")
    yield from run(planned.fit, "fit")
    yield from run(lambda: images.pushing(model, setting.site), "oci_registry")
    yield from run(lambda: images.named(setting.site), "images")
    yield from run(lambda: model_registry(model, setting.connection), "model_registry")
    if setting.api is None:
        yield Finding("cluster", "unknown", "no cluster is chosen", "log in with `oc login`")
        return
    there = Namespace(setting.api, setting.namespace, model)
    yield from _asked(there.rights, "rights")
    yield from _asked(there.pipelines_server, "pipelines_server")
    yield from _asked(lambda: there.volume(setting.site.pvc, planned.bytes), "pvc")
    yield from _asked(there.kserve, "kserve")
    yield from _asked(there.runtime, "runtime")
    yield from _asked(there.pull_secret, "pull_secret")
    yield from _asked(lambda: there.nodes(planned.need()), "nodes")


def _asked(check: Check, name: str) -> Iterator[Finding]:
    """Run one check of the cluster: what the API server refuses is a finding of that check."""
    from modelcar.cluster import asking

    def asked() -> Iterator[Finding]:
        with asking(f"checking {name}"):
            yield from check()

    yield from run(asked, name)


def _trust() -> Iterator[Finding]:
    try:
        trust.tls_context()
    except UsageError as error:
        yield Finding("ca", "failed", f"{error.what}: {error.why}", error.remedy)
        return
    files = ", ".join(str(path) for path in trust.ca_files())
    yield Finding("ca", "ok", f"trusted besides the system's: {files or 'none'}")
