"""The verbs of a pipelines server: submit, runs, cancel, schedule, schedules, unschedule."""

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from modelcar.cli_dsp_lines import ending_lines, print_rows, schedule_row
from modelcar.cli_dsp_options import Pipeline, Place, pipeline_options, server_options
from modelcar.cli_options import (
    chosen_model,
    common_options,
    model_name,
    model_options,
    show,
    show_json,
    site_hub,
    steerable,
    work_folder,
)

if TYPE_CHECKING:
    from modelcar.dsp.compiled_file import CompiledFile
    from modelcar.dsp.ending import Ending
    from modelcar.dsp.server import PipelinesServer
    from modelcar.dsp.submit import Submitted
    from modelcar.dsp.upload import Uploaded
    from modelcar.dsp.watch import View
    from modelcar.site import Site
    from modelcar.values import Model


@click.command()
@common_options
@model_options
@pipeline_options
@server_options
@click.option("--wait", is_flag=True, help="Show its tasks until it has ended, and what came out.")
@click.option(
    "--poll",
    type=click.FloatRange(min=0.01),
    default=5.0,
    show_default=True,
    help="Seconds between two looks at it; up to six times that while nothing changes.",
)
def submit(
    pipeline: Pipeline, place: Place, wait: bool, poll: float, as_json: bool, **selection: Any
) -> None:
    """Run the pipeline for MODEL on the namespace's pipelines server; print its id and address.

    The compiled file is uploaded where the server has not this very file. With `--wait` it exits
    1 where the run fails or is cancelled; an interrupt leaves the run alone.
    """
    from modelcar.cli_json import run_json
    from modelcar.dsp import submit as stage
    from modelcar.values import to_json

    model = chosen_model(**selection, pinned=not pipeline.said["follow"])
    compiled = pipeline.compiled()
    parameters = _parameters(pipeline, compiled, model, place.site)
    server = place.server()
    uploaded = _ready(server, pipeline, compiled, model, place.site)
    started = stage.submit(server, uploaded, model, parameters, pipeline.experiment)
    told = cast(dict[str, Any], to_json(started))
    if not (wait and as_json):
        show(f"{started.run_id}\n{started.link}", told, as_json)
    if not wait:
        return
    ending = _wait(server, started, model, compiled, poll)
    if as_json:
        show_json({**told, "state": ending.state, "record": run_json(ending.record)})
    else:
        click.echo("\n".join(ending_lines(ending)))
    ending.raise_failure()


@click.command()
@common_options
@model_options
@click.option("--cron", required=True, metavar="'0 3 * * *'", help="When, as crontab has it.")
@pipeline_options
@server_options
def schedule(cron: str, pipeline: Pipeline, place: Place, as_json: bool, **selection: Any) -> None:
    """Have the pipeline run for MODEL again and again: one schedule a model version.

    The time is the server's, UTC unless it is set otherwise. What stands and is as it should be is
    not touched. A version is one digest, so the model must stand at a commit, or `--follow` it.
    """
    from modelcar.dsp import schedules as stage
    from modelcar.dsp.cron import six_fields
    from modelcar.values import to_json

    follow, fields = pipeline.said["follow"], six_fields(cron)
    model = chosen_model(**selection, pinned=not follow)
    if not follow:
        stage.check_fixed(model)
    compiled = pipeline.compiled()
    parameters = _parameters(pipeline, compiled, model, place.site)
    server = place.server()
    uploaded = _ready(server, pipeline, compiled, model, place.site)
    wanted = stage.Wanted(model, fields, uploaded, parameters, pipeline.experiment)
    done = stage.schedule(server, wanted)
    became = "is scheduled" if done.created else "was scheduled already"
    text = f"{done.schedule.name} {became}: {done.schedule.cron}"
    if done.deleted:
        text = f"{text}\n{done.deleted} other{'s' * (done.deleted > 1)} deleted"
    show(text, to_json(done), as_json)


@click.command()
@common_options
@server_options
def schedules(place: Place, as_json: bool) -> None:
    """List the schedules that modelcar made, each with its last run."""
    from modelcar.dsp import schedules as stage
    from modelcar.values import to_json

    found = stage.schedules(place.server())
    if as_json:
        show_json(to_json(found))
    else:
        heads = ("MODEL", "VERSION", "CRON", "ENABLED", "PIPELINE", "LAST", "STATE")
        print_rows(heads, map(schedule_row, found))


@click.command()
@common_options
@click.argument("model")
@server_options
def unschedule(model: str, place: Place, as_json: bool) -> None:
    """Delete the schedules of MODEL, of all its versions."""
    from modelcar.dsp import schedules as stage
    from modelcar.values import to_json

    name = model_name(model)
    gone = stage.unschedule(place.server(), name)
    lines = [f"{one.name} is deleted" for one in gone] or [f"{name} has no schedule"]
    show("\n".join(lines), to_json(gone), as_json)


@click.command()
@common_options
@click.argument("model", default="")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many."
)
@server_options
def runs(model: str, limit: int, place: Place, as_json: bool) -> None:
    """List the runs on the pipelines server, or MODEL's, newest first."""
    from modelcar.dsp import runs as stage
    from modelcar.values import to_json
    from modelcar.wording import duration

    found = stage.runs(place.server(), model and model_name(model), limit)
    if as_json:
        show_json(to_json(found))
        return
    heads = ("RUN", "STATE", "CREATED", "TIME", "MODEL", "VERSION")
    rows = (
        (one.run_id, one.state, one.created, duration(one.seconds), one.model, one.version)
        for one in found
    )
    print_rows(heads, rows)


@click.command()
@common_options
@click.argument("run_id")
@server_options
def cancel(run_id: str, place: Place, as_json: bool) -> None:
    """End the run RUN_ID; one that has ended is left as it is."""
    from modelcar.dsp import runs as stage
    from modelcar.values import to_json

    done = stage.cancel(place.server(), run_id)
    became = "is being cancelled" if done.cancelled else f"has ended already: {done.state}"
    show(f"{run_id} {became}", to_json(done), as_json)


def _parameters(
    pipeline: Pipeline, compiled: "CompiledFile", model: "Model", site: "Site"
) -> dict[str, str]:
    from modelcar.dsp import arguments

    return arguments.of(compiled, model, site, **pipeline.said)


def _ready(
    server: "PipelinesServer",
    pipeline: Pipeline,
    compiled: "CompiledFile",
    model: "Model",
    site: "Site",
) -> "Uploaded":
    """Check what the run needs, unless told not to, and have the server hold the file."""
    from modelcar.dsp.upload import upload

    if not pipeline.skip_preflight:
        _preflight(model, site, server.address.namespace, pipeline.path)
    return upload(server, compiled)


def _preflight(model: "Model", site: "Site", namespace: str, path: Path) -> None:
    """Log every finding; raise PreflightError with those that failed."""
    from modelcar import cluster
    from modelcar.model_registry import configured
    from modelcar.preflight.checks import Setting, findings
    from modelcar.preflight.finding import require

    setting = Setting(
        site=site,
        work=work_folder(None),
        hub=site_hub(site),
        connection=lambda: configured(
            site.model_registry, site.model_registry_ca, own_token=cluster.bearer_token
        ),
        namespace=namespace,
        pipeline=path,
    )
    require(findings(model, setting))


def _wait(
    server: "PipelinesServer",
    started: "Submitted",
    model: "Model",
    compiled: "CompiledFile",
    poll: float,
) -> "Ending":
    from modelcar.dsp import ending, watch

    try:
        where = server.address.namespace
        explain = partial(ending.troubles, where, started.run_id)
        shown = (compiled.tasks, _view(), poll)
        run = watch.wait(server, started.run_id, *shown, explain=explain)
        return ending.of(run, model, where, compiled.tasks)
    except KeyboardInterrupt as error:
        told = f"the run goes on; `modelcar cancel {started.run_id}` ends it"
        click.echo(f"modelcar: interrupted; {told}", err=True)
        sys.exit(getattr(error, "exit_code", 130))


def _view() -> "View":
    """Return a table on a terminal, lines elsewhere."""
    from modelcar.dsp.watch import Lines

    if steerable():
        from modelcar.dsp.live import Tables

        return Tables()
    return Lines()
