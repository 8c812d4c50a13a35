"""What the stages of a run returned, as far as their records hold it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from modelcar.errors import ModelCarError
from modelcar.gpu import Fit
from modelcar.values import (
    BuiltImage,
    Endpoint,
    ModelVersion,
    Plan,
    Snapshot,
    StageRecord,
    from_json,
)

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Results:
    """What is known of each stage's result; None where nothing is."""

    plan: Plan | None
    fit: Fit | None
    snapshot: Snapshot | None
    built: BuiltImage | None
    version: ModelVersion | None
    endpoint: Endpoint | None


def results(stages: Sequence[StageRecord]) -> Results:
    """Read the results of a run's stages."""
    return Results(
        plan=_result(Plan, stages, "plan"),
        fit=_result(Fit, stages, "plan", "fit"),
        snapshot=_result(Snapshot, stages, "download"),
        built=_result(BuiltImage, stages, "build"),
        version=_result(ModelVersion, stages, "register"),
        endpoint=_result(Endpoint, stages, "deploy"),
    )


def named(stages: Sequence[StageRecord], name: str) -> StageRecord | None:
    """Return the record of the stage `name`."""
    return next((stage for stage in stages if stage.name == name), None)


def _result(kind: type[T], stages: Sequence[StageRecord], name: str, key: str = "") -> T | None:
    stage = named(stages, name)
    # A rendered stage holds the path of what it wrote, not what the stage returns.
    found = stage.result if stage and stage.status != "rendered" else {}
    found = found.get(key, {}) if key else found
    if not found:
        return None
    try:
        value: T = from_json(kind, found)
    except (TypeError, ValueError, ModelCarError) as error:
        if stage and stage.status != "failed":
            log.warning("the result of %s is not shown: %s", name, error)
        return None
    return value
