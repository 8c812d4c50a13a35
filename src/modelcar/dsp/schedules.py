"""Recurring runs: one a model version, that has what is asked for and is enabled."""

import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from modelcar.dsp import runs
from modelcar.dsp.server import PipelinesServer, library
from modelcar.dsp.submit import experiment_id, reference
from modelcar.dsp.upload import Uploaded
from modelcar.errors import PipelinesError, UsageError
from modelcar.values import Model

log = logging.getLogger(__name__)

PREFIX: Final = "modelcar-"
_LONGEST: Final = 100
_RUNS_READ: Final = 500
_ENABLE: Final = "ENABLE"


@dataclass(frozen=True, slots=True)
class Schedule:
    """One recurring run; the last run's state and time are empty before there was one."""

    recurring_run_id: str
    name: str
    model: str
    version: str
    cron: str
    enabled: bool
    pipeline_version_id: str
    last_run: str = ""
    last_state: str = ""
    last_created: str = ""


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What became of a schedule: whether it was created, and how many others were deleted."""

    schedule: Schedule
    created: bool
    deleted: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a recurring run is to be like."""

    model: Model
    cron: str
    """Six fields."""
    uploaded: Uploaded
    parameters: Mapping[str, str]
    experiment: str = ""

    def met_by(self, found: Any) -> bool:
        """Return whether a recurring run is like this one, and enabled."""
        version, trigger = found.pipeline_version_reference, found.trigger
        cron = trigger.cron_schedule.cron if trigger and trigger.cron_schedule else ""
        same = version is not None and version.pipeline_version_id == self.uploaded.version_id
        alone = found.no_catchup is True and str(found.max_concurrency) == "1"
        told = dict(runs.parameters(found)) == dict(self.parameters)
        return same and alone and told and cron == self.cron and _enabled(found)


def check_fixed(model: Model) -> None:
    """Refuse a model whose files may change between two runs of one version; raise UsageError."""
    if model.source.kind == "hf" and not model.source.pinned:
        why = f"{model.source.revision} of {model.source.uri} may move, and a version is one digest"
        remedy = f"run `modelcar pin {model.name}`, or register each commit with --follow"
        raise UsageError(f"scheduling {model.name} {model.version}", why, remedy)


def name_of(model: str, version: str) -> str:
    """Return the name of a model version's recurring run; one that must change has a mark."""
    whole = f"{PREFIX}{model}-{version}"
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", whole)
    if plain == whole and len(whole) <= _LONGEST:
        return whole
    return f"{plain[:_LONGEST]}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"


def schedule(server: PipelinesServer, wanted: Wanted) -> Scheduled:
    """Have exactly one recurring run of the model version, as it is wanted; raise PipelinesError.

    The new one stands before others go, so that a run that is killed loses no schedule. Where two
    do this at once, both keep the same one; where they want different ones both stand, and the
    next call leaves one.
    """
    model = wanted.model
    standing = _of_version(server, model.name, model.version)
    before = {one.recurring_run_id for one in standing}
    created = not any(map(wanted.met_by, standing))
    if created:
        _create(server, wanted)
        standing = _of_version(server, model.name, model.version)
    good = [one for one in standing if wanted.met_by(one)]
    if not good:
        remedy = "run the same command again"
        raise PipelinesError(f"scheduling {model.name}", "another deleted it meanwhile", remedy)
    kept = min(good, key=lambda one: (runs.when(one.created_at), one.recurring_run_id))
    # What another has created since, and is not alike, is its own: else each would delete both.
    ours = [one for one in standing if one.recurring_run_id in before or wanted.met_by(one)]
    others = [one for one in ours if one.recurring_run_id != kept.recurring_run_id]
    deleted = sum(_delete(server, one) for one in others)
    return Scheduled(_told(kept), created, deleted)


def unschedule(server: PipelinesServer, model: str) -> list[Schedule]:
    """Delete every schedule of a model, and return them; raise PipelinesError."""
    standing = [one for one in _ours(server) if runs.parameters(one).get("model_name") == model]
    return [_told(one) for one in standing if _delete(server, one)]


def schedules(server: PipelinesServer) -> list[Schedule]:
    """Return the schedules that modelcar made, each with its last run."""
    ours = _ours(server)
    last = _last_runs(server, {one.recurring_run_id for one in ours})
    told = [_told(one, last.get(one.recurring_run_id)) for one in ours]
    return sorted(told, key=lambda one: (one.model, one.version, one.name))


def _of_version(server: PipelinesServer, model: str, version: str) -> list[Any]:
    """Return those of a model version: by what they are told, since names may be alike."""
    mine = {"model_name": model, "model_version": version}
    return [one for one in _ours(server) if mine.items() <= runs.parameters(one).items()]


def _ours(server: PipelinesServer) -> list[Any]:
    listing = server.recurring_runs.recurring_run_service_list_recurring_runs
    every = server.pages("listing the schedules", listing, "recurring_runs")
    return [one for one in every if _is_ours(one)]


def _is_ours(found: Any) -> bool:
    told = runs.parameters(found)
    name = name_of(str(told.get("model_name", "")), str(told.get("model_version", "")))
    return bool(found.display_name == name)


def _create(server: PipelinesServer, wanted: Wanted) -> None:
    api, model = library(), wanted.model
    body = api.V2beta1RecurringRun(
        display_name=name_of(model.name, model.version),
        description="made by modelcar",
        experiment_id=experiment_id(server, wanted.experiment or model.name),
        pipeline_version_reference=reference(wanted.uploaded),
        runtime_config=api.V2beta1RuntimeConfig(parameters=dict(wanted.parameters)),
        trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=wanted.cron)),
        mode=_ENABLE,
        no_catchup=True,
        max_concurrency="1",
    )
    create = server.recurring_runs.recurring_run_service_create_recurring_run
    server.tell(f"scheduling {model.name} {model.version}", create, body)


def _delete(server: PipelinesServer, found: Any) -> bool:
    """Delete a recurring run; return whether it was still there."""
    delete = server.recurring_runs.recurring_run_service_delete_recurring_run
    try:
        server.tell(f"deleting the schedule {found.display_name}", delete, found.recurring_run_id)
    except PipelinesError as error:
        if error.status != 404:
            raise
        return False
    return True


def _last_runs(server: PipelinesServer, wanted: set[str]) -> dict[str, Any]:
    """Return each schedule's last run, where it is among the newest of the server."""
    found: dict[str, Any] = {}
    if not wanted:
        return found
    listing, newest = server.runs.run_service_list_runs, "created_at desc"
    every = server.pages("listing the runs", listing, "runs", sort_by=newest)
    for one in islice(every, _RUNS_READ):
        if one.recurring_run_id in wanted:
            found.setdefault(one.recurring_run_id, one)
            if len(found) == len(wanted):
                break
    return found


def _enabled(found: Any) -> bool:
    return bool(found.mode == _ENABLE if found.mode else found.status == "ENABLED")


def _told(found: Any, last: Any = None) -> Schedule:
    told, trigger = runs.parameters(found), found.trigger
    version = found.pipeline_version_reference
    return Schedule(
        recurring_run_id=found.recurring_run_id,
        name=found.display_name,
        model=str(told.get("model_name", "")),
        version=str(told.get("model_version", "")),
        cron=str(trigger.cron_schedule.cron) if trigger and trigger.cron_schedule else "",
        enabled=_enabled(found),
        pipeline_version_id=version.pipeline_version_id if version else "",
        last_run=last.run_id if last else "",
        last_state=runs.state(last) if last else "",
        last_created=runs.when(last.created_at) if last else "",
    )
