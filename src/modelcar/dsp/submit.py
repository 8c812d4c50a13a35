"""Start a run of the pipeline for one model."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from modelcar.dsp.server import PipelinesServer, library
from modelcar.dsp.upload import Uploaded, lost, named
from modelcar.errors import PipelinesError
from modelcar.values import Model

log = logging.getLogger(__name__)
_ARCHIVED = "ARCHIVED"


@dataclass(frozen=True, slots=True)
class Submitted:
    """A run that was started; `link` is its address in the server's API."""

    run_id: str
    run_name: str
    experiment: str
    pipeline: str
    pipeline_version: str
    uploaded: bool
    link: str
    parameters: Mapping[str, str]


def submit(
    server: PipelinesServer,
    uploaded: Uploaded,
    model: Model,
    parameters: Mapping[str, str],
    experiment: str = "",
) -> Submitted:
    """Start a run of what was uploaded, in the experiment named, else the model's own.

    Raises PipelinesError.
    """
    where = experiment or model.name
    body = library().V2beta1Run(
        display_name=run_name(model, datetime.now(UTC)),
        experiment_id=experiment_id(server, where),
        pipeline_version_reference=reference(uploaded),
        runtime_config=library().V2beta1RuntimeConfig(parameters=dict(parameters)),
    )
    run = _start(server, body)
    return Submitted(
        run_id=run.run_id,
        run_name=body.display_name,
        experiment=where,
        pipeline=uploaded.pipeline,
        pipeline_version=uploaded.version,
        uploaded=uploaded.changed,
        link=server.link(run.run_id),
        parameters=parameters,
    )


def run_name(model: Model, now: datetime) -> str:
    """Return a run's name: model, version and the time, in UTC."""
    return f"{model.name}-{model.version}-{now:%Y%m%dT%H%M%SZ}"


def reference(uploaded: Uploaded) -> Any:
    """Return how the API names a pipeline version."""
    return library().V2beta1PipelineVersionReference(
        pipeline_id=uploaded.pipeline_id, pipeline_version_id=uploaded.version_id
    )


def experiment_id(server: PipelinesServer, name: str) -> str:
    """Return the id of the experiment of that name, created where there is none."""
    if found := _experiment(server, name):
        return found
    create = server.experiments.experiment_service_create_experiment
    body = library().V2beta1Experiment(display_name=name)
    try:
        made = server.tell(f"creating the experiment {name}", create, body)
    except PipelinesError as error:
        if lost(error):
            if found := _experiment(server, name):
                return found
            error.remedy = f"restore the archived experiment {name}, or name one with --experiment"
        raise
    return str(made.experiment_id)


def _experiment(server: PipelinesServer, name: str) -> str:
    what = f"looking for the experiment {name}"
    listing = server.experiments.experiment_service_list_experiments
    for one in server.pages(what, listing, "experiments", filter=named(name)):
        if one.display_name == name and one.storage_state != _ARCHIVED:
            return str(one.experiment_id)
    return ""


def _start(server: PipelinesServer, body: Any) -> Any:
    create = server.runs.run_service_create_run
    try:
        return server.tell(f"starting {body.display_name}", create, body)
    except PipelinesError as error:
        # Without an answer the run may have begun all the same; a second one would be in its way.
        found = _started(server, body) if error.may_pass else None
        if found is None:
            raise
        log.warning("%s; but the run has begun", error)
        return found


def _started(server: PipelinesServer, body: Any) -> Any:
    listing = server.runs.run_service_list_runs
    options = {"experiment_id": body.experiment_id, "sort_by": "created_at desc"}
    for one in server.pages("looking for the run", listing, "runs", **options):
        if one.display_name == body.display_name:
            return one
    return None
