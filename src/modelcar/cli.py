"""The command line: verbs parse, call and print. Heavy modules are imported by the verb."""

import sys
from pathlib import Path
from typing import Any

import click

from modelcar import __version__
from modelcar.cli_bootstrap import bootstrap
from modelcar.cli_catalog import check, init, pin, schema
from modelcar.cli_completion import completion, teach
from modelcar.cli_dsp import cancel, runs, schedule, schedules, submit, unschedule
from modelcar.cli_model_registry import archive, register, restore, versions
from modelcar.cli_options import (
    REFERENCE,
    Connect,
    Group,
    chosen_model,
    common_options,
    model_options,
    model_registry_options,
    show,
    show_json,
    shown_view,
    site_file,
    site_hub,
    verbose,
    work_folder,
    workdir_option,
)
from modelcar.cli_packing import packing_options, reuse_options
from modelcar.cli_preflight import preflight
from modelcar.cli_prune import prune
from modelcar.cli_serving import deploy, diagnose, rollback, undeploy
from modelcar.packing import Packing


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="modelcar")
def main() -> None:
    """Bring a model from Hugging Face to a vLLM endpoint on OpenShift AI.

    MODEL is a name in models/, a path to such a file, hf://org/name[@revision] or file:///folder.
    """


@main.command()
@common_options
@model_options
@click.option("--to", "target", metavar="REF", help=f"Compare with this target: {REFERENCE}.")
@reuse_options
@model_registry_options
@workdir_option
def plan(
    target: str | None,
    packing: Packing,
    connect: Connect,
    workdir: Path | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Show what MODEL's image would hold and what would move; no weight byte moves."""
    from modelcar import cli_json, earlier_images, fitting, terminal_plan
    from modelcar.hub import Hub
    from modelcar.oci.reference import parse_tag
    from modelcar.oci.store import open_store
    from modelcar.prepare import prepare
    from modelcar.values import to_json
    from modelcar.view import Recorder

    store = open_store(parse_tag(target).location) if target else None
    model, hub, view = chosen_model(**selection), Hub(), shown_view("plan")
    with view, Recorder(view).stage("plan"):
        named = earlier_images.named(connect, model.name) if target else ()
        made = prepare(model, work_folder(workdir), hub, store, packing, named)
        fit = fitting.of_plan(model, made, hub)
    if as_json:
        show_json({**cli_json.plan_json(made), "fit": to_json(fit)})
    else:
        terminal_plan.print_plan(made, fit, target or "", every=verbose())


@main.command()
@common_options
@model_options
@workdir_option
def download(workdir: Path | None, as_json: bool, **selection: Any) -> None:
    """Download MODEL's chosen files, verified, and print their folder."""
    from modelcar import download as stage
    from modelcar import outcome
    from modelcar import plan as planning
    from modelcar.hub import Hub
    from modelcar.values import to_json
    from modelcar.view import Recorder

    work, hub, model = work_folder(workdir), Hub(), chosen_model(**selection)
    with shown_view("plan", "download") as view:
        recorder = Recorder(view)
        with recorder.stage("plan") as planned:
            made = planning.make(model, work, hub)
            planned.done(made, outcome.chosen(made))
        planning.warn(made)
        with recorder.stage("download") as moved:
            view.standing.download(made, str(work.snapshot(made.source.at(made.commit))))
            snapshot = stage.download(made, made.files, work, hub, view)
            moved.done(snapshot, outcome.download(snapshot))
    show(snapshot.folder, to_json(snapshot), as_json)


@main.command()
@common_options
@model_options
@click.option("--to", "target", required=True, metavar="REF", help=f"Push to {REFERENCE}.")
@packing_options
@model_registry_options
@workdir_option
def build(
    target: str,
    packing: Packing,
    connect: Connect,
    workdir: Path | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Push MODEL's image, straight from the Hub where files are missing; print its digest."""
    from modelcar import build as stage
    from modelcar import cli_json, earlier_images
    from modelcar.hub import Hub
    from modelcar.oci.reference import parse_tag

    model, reference = chosen_model(**selection), parse_tag(target)
    named = earlier_images.named(connect, model.name)
    with shown_view("plan", "build") as view:
        built = stage.build(model, reference, work_folder(workdir), Hub(), packing, view, named)
    show(str(built.image), cli_json.build_json(built), as_json)


@main.command()
@common_options
@click.argument("source")
@click.argument("destination")
def mirror(source: str, destination: str, as_json: bool) -> None:
    """Copy the image SOURCE to DESTINATION with skopeo, under the same digest."""
    from modelcar import skopeo
    from modelcar.oci.reference import DigestReference, parse, parse_tag
    from modelcar.view import Recorder

    origin = parse(source)
    tag = origin.digest.short if isinstance(origin, DigestReference) else origin.tag
    place, view = parse_tag(destination, tag), shown_view("mirror")
    with view, Recorder(view).stage("mirror"), view.aside(f"mirror {place}") as moved:
        image = skopeo.mirror(origin, place, moved)
    show(str(image), {"reference": str(image), "digest": str(image.digest)}, as_json)


@main.command()
@common_options
@model_options
@click.option("--site", type=click.Path(path_type=Path), help="The site file; else site.yaml.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Else runs/MODEL.")
@click.option("--move-version", is_flag=True, help="Move the version to another digest.")
@click.option("--ignore-fit", is_flag=True, help="Deploy even what does not fit on the GPUs.")
@click.option("--skip-preflight", is_flag=True, help="Check no rights before the run.")
@click.option(
    "--follow",
    is_flag=True,
    help="Take the branch as it is, pinned or not, and register VERSION-COMMIT7.",
)
@packing_options
@model_registry_options
@workdir_option
def run(
    site: Path | None,
    out: Path | None,
    connect: Connect,
    move_version: bool,
    follow: bool,
    ignore_fit: bool,
    skip_preflight: bool,
    packing: Packing,
    workdir: Path | None,
    as_json: bool,
    **selection: Any,
) -> None:
    """Run all stages for MODEL here, and print a summary; what has no target is rendered."""
    from modelcar import cli_json, terminal
    from modelcar import run as stages

    found = site_file(site)
    model = chosen_model(**selection, pinned=not follow)
    place = (out or Path("runs", model.name)).absolute()
    with shown_view(*stages.SHOWN) as view:
        setting = stages.Setting(
            site=found,
            out=place,
            work=work_folder(workdir),
            hub=site_hub(found),
            view=view,
            model_registry=connect(found),
            packing=found.packing(packing),
            move_version=move_version,
            follow=follow,
            ignore_fit=ignore_fit,
            skip_preflight=skip_preflight,
            asked=selection["model"],
        )
        record = stages.run(model, setting)
    if as_json:
        show_json(cli_json.run_json(record))
    else:
        terminal.print_run(record, place, stages=not (view.lasting and sys.stdout.isatty()))


for verb in (
    init,
    check,
    pin,
    schema,
    register,
    versions,
    archive,
    restore,
    deploy,
    diagnose,
    rollback,
    undeploy,
    prune,
    bootstrap,
    preflight,
    submit,
    runs,
    cancel,
    schedule,
    schedules,
    unschedule,
    completion,
):
    main.add_command(verb)
teach(main)
