"""All checks of one model on one site, in the order in which a run would meet them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelcar import trust
from modelcar.cluster import asking, connect
from modelcar.hub import Hub
from modelcar.oci.reference import TagReference, parse_tag
from modelcar.preflight import before, compiled, images, namespace, pipelines, serving
from modelcar.preflight.account import Account
from modelcar.preflight.compiled import Compiled
from modelcar.preflight.finding import Check, Finding, run
from modelcar.preflight.model_registry import model_registry
from modelcar.preflight.pushing import pushing
from modelcar.preflight.source import Planned
from modelcar.serving.objects import Objects
from modelcar.site import Site
from modelcar.values import Model
from modelcar.workfolder import WorkFolder

if TYPE_CHECKING:
    from modelcar.model_registry import Connection

MYSELF: Final = "me"
_RUNNER: Final = "pipeline-runner-"


@dataclass(frozen=True, slots=True)
class Setting:
    """What is checked; without a namespace nothing of the cluster is."""

    site: Site
    work: WorkFolder
    hub: Hub
    connection: Callable[[], "Connection | None"]
    namespace: str = ""
    account: str = ""
    """Whose rights: a service account's, or `me`; empty: the runner's, where there is one."""
    pipeline: Path | None = None
    """A compiled pipeline, whose images and server are checked."""


def findings(model: Model, setting: Setting) -> Iterator[Finding]:
    """Yield each finding as soon as it is there; none of ours is raised."""
    planned, site = Planned(model, setting.work, setting.hub), setting.site
    pipeline = cache(partial(_pipeline, setting.pipeline))
    yield from run(_trusted, "ca")
    yield from run(planned.check, "source")
    yield from run(planned.fit, "fit")
    for name, place in _places(site).items():
        yield from run(partial(_pushing, name, place, model), name)
    yield from run(lambda: images.named(_images(site, pipeline())), "images")
    connection = setting.connection
    yield from run(lambda: model_registry(model.name, connection()), "model_registry")
    if not setting.namespace:
        yield Finding("cluster", "unknown", "no namespace is named", "name one with --namespace")
        return
    yield from run(lambda: _cluster(model, setting, planned, pipeline), "cluster")


def before_run(
    model: Model, site: Site, connection: "Connection | None", *, moves: bool, deploys: bool
) -> Iterator[Finding]:
    """Yield what `modelcar run` checks once it has a plan, as the account that runs it.

    The right to push is asked for only where something `moves`, the cluster where it `deploys`.
    """
    for name, place in _places(site).items():
        if place and moves:
            yield from run(partial(_pushing, name, place, model), name)
    if connection:
        yield from run(lambda: model_registry(model.name, connection), "model_registry")
    if deploys:
        yield from before.of_cluster(model, site.namespace, serving.runtime)
        yield from _asked(lambda: serving.kserve(connect()), "kserve")


def _places(site: Site) -> dict[str, str]:
    return {"oci_registry": site.oci_registry, "mirror": site.mirror}


def _pushing(name: str, place: str, model: Model) -> Iterator[Finding]:
    if not place:
        yield Finding(name, "unknown", "the site file names none")
        return
    yield from pushing(name, _target(place, model), by_skopeo=name == "mirror")


def _target(place: str, model: Model) -> TagReference:
    return parse_tag(f"{place}/{model.name}:1")


def _trusted() -> Iterator[Finding]:
    """Read the CA files; raise UsageError for one that holds no certificate."""
    trust.tls_context()
    files = ", ".join(str(path) for path in trust.ca_files())
    yield Finding("ca", "ok", f"trusted besides the system's: {files or 'none'}")


def _cluster(
    model: Model, setting: Setting, planned: Planned, pipeline: Callable[[], Compiled | None]
) -> Iterator[Finding]:
    api, where, site = connect(), setting.namespace, setting.site
    wanted, target = model.serving, site.oci_registry and _target(site.oci_registry, model)
    with asking("looking for the pipelines server"):
        server, found = pipelines.server(api, where)
    yield found
    account = Account(api, where, _account(setting.account, server))
    checks: dict[str, Check] = {
        "rights": account.rights,
        "pipelines_version": lambda: pipelines.version(api, where, pipeline()),
        "pvc": lambda: namespace.volume(
            api, where, site.pvc, _room(planned, target or None, pipeline())
        ),
        "kserve": lambda: serving.kserve(api),
        "runtime": lambda: serving.runtime(api, where, wanted.runtime),
        "pull_secret": lambda: namespace.pull_secret(api, where, wanted.pull_secret),
        "nodes": lambda: serving.nodes(Objects(api, where), wanted, planned.need()),
    }
    for name, check in checks.items():
        yield from _asked(check, name)


def _room(planned: Planned, target: TagReference | None, pipeline: Compiled | None) -> int:
    """Return the bytes of files that the volume is to hold."""
    keeps = pipeline is None or pipeline.keeps_files
    return planned.missing(target) if keeps else 0


def _account(asked: str, server: str) -> str:
    """Return the service account whose rights count, nothing for who asks."""
    if asked:
        return "" if asked == MYSELF else asked
    return f"{_RUNNER}{server}" if server else ""


def _pipeline(path: Path | None) -> Compiled | None:
    return compiled.read(path) if path else None


def _images(site: Site, pipeline: Compiled | None) -> dict[str, str]:
    """Return the images by the name of their check: the base, and what the pipeline runs on."""
    of_site = site.images
    if pipeline is None:
        return {"base": of_site.base, "python": of_site.python, "skopeo": of_site.skopeo}
    named = enumerate(pipeline.images, 1)
    return {"base": of_site.base, **{f"pipeline.{number}": image for number, image in named}}


def _asked(check: Check, name: str) -> Iterator[Finding]:
    """Run one check of the cluster: what the API server refuses is a finding of that check."""

    def asked() -> Iterator[Finding]:
        with asking(f"checking {name}"):
            yield from check()

    yield from run(asked, name)
