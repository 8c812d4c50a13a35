"""A run's stages as rows with bars on one scale of time."""

from collections.abc import Sequence

from modelcar.page_parts import DETAIL, STAGE, Bar, Section, listed, undigested
from modelcar.values import RunRecord, StageRecord
from modelcar.wording import duration, line

LEAST = 0.8
"""Percent: a short stage is still seen."""


def timeline(run: RunRecord) -> Section:
    """Return the stages, each with its place between the first start and the last end."""
    first, seconds = span(run.stages)

    def row(stage: StageRecord) -> tuple[str | Bar, ...]:
        bar = _bar(stage, first, seconds)
        detail = line(undigested(stage.error or stage.detail, run.digest), DETAIL)
        return line(stage.name, STAGE), stage.status, seconds_of(stage), bar, detail

    when = f"Timeline, 0 to {duration(seconds)}"
    heads = ("Stage", "name"), ("Status", "status"), ("Time", "number"), (when, "bar")
    return listed("Stages", (*heads, ("Detail", "wide")), run.stages, row)


def _bar(stage: StageRecord, first: float, seconds: float) -> Bar:
    """Place a stage on the scale; one that did not begin has no length."""
    if not stage.started:
        return Bar(stage.status, 0, 0, "it did not begin")
    began = stage.started - first
    scale = 100 / seconds if seconds > 0 else 0.0
    width = max(stage.seconds * scale, LEAST)
    x = min(began * scale, 100 - width)
    ended = f" to {duration(began + stage.seconds)}" if seconds_of(stage) else ""
    told = f"from {duration(began)}{ended}"
    return Bar(stage.status, round(x, 1), round(width, 1), told)


def span(stages: Sequence[StageRecord]) -> tuple[float, float]:
    """Return the first start, and the seconds from there to the last end."""
    begun = [stage for stage in stages if stage.started > 0]
    first = min((stage.started for stage in begun), default=0.0)
    return first, max((stage.started + stage.seconds for stage in begun), default=first) - first


def seconds_of(stage: StageRecord) -> str:
    """Word how long a stage took; empty while it runs."""
    return "" if stage.status == "running" else duration(stage.seconds)
