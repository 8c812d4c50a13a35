"""The verb `prune`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelcar.cli_options import (
    Connect,
    common_options,
    model_registry_options,
    show,
    site_file,
    work_folder,
    workdir_option,
)

if TYPE_CHECKING:
    from modelcar.mentions import Mention
    from modelcar.oci.reference import Repository
    from modelcar.retention import Retention, Verdict
    from modelcar.site import Site


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked which images are in use."""

    namespaces: tuple[str, ...]
    unchecked_cluster: bool
    connect: Connect
    unchecked_model_registry: bool


@click.command()
@common_options
@click.argument("model")
@click.option("--keep", type=click.IntRange(min=1), required=True, help="How many stay.")
@click.option("--at", "places", multiple=True, metavar="REF", help="Look at this host/repository.")
@click.option("--site", type=click.Path(path_type=Path), help="The site file; else site.yaml.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted and delete nothing.")
@click.option(
    "-n",
    "--namespace",
    "namespaces",
    multiple=True,
    help="Where InferenceServices are, if you may not list all; else the site's or current one.",
)
@click.option("--unchecked-cluster", is_flag=True, help="Do not ask the cluster what is served.")
@model_registry_options
@click.option(
    "--unchecked-model-registry", is_flag=True, help="Do not ask a Model Registry what is named."
)
@workdir_option
def prune(
    model: str,
    keep: int,
    places: tuple[str, ...],
    site: Path | None,
    dry_run: bool,
    workdir: Path | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Delete MODEL's old images at the OCI registry and at the mirror, but for --keep of them.

    Looked at are the repositories that --at names, else MODEL's at the two places of the site
    file. What the Model Registry or an InferenceService names stays, besides the images kept, and
    so does what modelcar did not make.

    The newest is what was pushed last from this work folder; then come the images whose push is
    not on record here, by the version in their best tag, 1.10 before 1.9; last those that no tag
    names. An index and its images count as one.
    """
    from modelcar import catalog
    from modelcar import prune as stage
    from modelcar.pushed import PushedImages

    found = site_file(site)
    looked_at = _places(places, found, catalog.find(model).name)
    mentions = _mentions(Asked(**asked), found)
    pushed = PushedImages.of(work_folder(workdir))
    plans = [stage.decide(place, mentions, pushed, keep) for place in looked_at]
    if not dry_run:
        stage.carry_out(plans, pushed)
    lines = "\n".join(_line(plan, verdict) for plan in plans for verdict in plan.verdicts)
    rows = [_row(plan, verdict) for plan in plans for verdict in plan.verdicts]
    show(lines or "no images", {"dry_run": dry_run, "images": rows}, as_json)


def _places(given: tuple[str, ...], site: "Site", name: str) -> "list[Repository]":
    from modelcar.errors import UsageError

    named = [place for place in (site.oci_registry, site.mirror) if place]
    places = dict.fromkeys(map(_repository, given or [f"{place}/{name}" for place in named]))
    if not places:
        why = "neither --at nor the site file names a repository"
        raise UsageError("pruning", why, "name one with --at host/repository")
    return list(places)


def _repository(text: str) -> "Repository":
    from modelcar.errors import UsageError
    from modelcar.oci.reference import Layout, TagReference, parse

    found = parse(text, default_tag="")
    remedy = "name it as host/repository"
    if isinstance(found.location, Layout):
        why = "it is a folder of this machine, not a repository of an OCI registry"
        raise UsageError(f"pruning {text}", why, remedy)
    if not isinstance(found, TagReference) or found.tag:
        why = "it names one image, and the whole repository is looked at"
        raise UsageError(f"pruning {text}", why, remedy)
    return found.location


def _mentions(asked: Asked, site: "Site") -> "list[Mention]":
    from modelcar import prune as stage

    found: list[Mention] = []
    if not asked.unchecked_model_registry:
        found += stage.in_model_registry(asked.connect(site))
    if not asked.unchecked_cluster:
        found += stage.in_cluster(asked.namespaces or tuple(filter(None, [site.namespace])))
    return found


def _line(plan: "Retention", verdict: "Verdict") -> str:
    row = _row(plan, verdict)
    return f"{row['action']:6}  {row['reference']}  {','.join(row['tags']) or '-'}  {row['why']}"


def _row(plan: "Retention", verdict: "Verdict") -> dict[str, Any]:
    image = verdict.image
    return {
        "action": "keep" if verdict.keep else "delete",
        "reference": f"{plan.repository}@{image.digest}",
        "tags": list(image.tags),
        "pushed": image.pushed,
        "why": verdict.why,
    }
