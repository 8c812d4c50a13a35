"""A run's stages as bars on one scale of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelcar.values import StageRecord
from modelcar.wording import duration, line

LEFT, RIGHT, ROW = 110, 640, 26
"""In the drawing's units: where the bars begin and end, and the height of a row."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage, in the drawing's units."""

    name: str
    status: str
    seconds: str
    x: float
    y: int
    width: float


def timeline(stages: Sequence[StageRecord]) -> Iterator[Bar]:
    """Place each stage that began, from the first start to the last end."""
    first, seconds = span(stages)
    scale = (RIGHT - LEFT) / seconds if seconds > 0 else 0.0
    for row, stage in enumerate(_begun(stages)):
        # A short stage is still seen, and stays inside the drawing.
        width = max(stage.seconds * scale, 2.0)
        x = min(LEFT + (stage.started - first) * scale, RIGHT - width)
        yield Bar(
            name=line(stage.name, 14),
            status=stage.status,
            seconds=seconds_of(stage),
            x=round(x, 1),
            y=row * ROW,
            width=round(width, 1),
        )


def span(stages: Sequence[StageRecord]) -> tuple[float, float]:
    """Return the first start, and the seconds from there to the last end."""
    begun = _begun(stages)
    first = min((stage.started for stage in begun), default=0.0)
    return first, max((stage.started + stage.seconds for stage in begun), default=first) - first


def seconds_of(stage: StageRecord) -> str:
    """Word how long a stage took; empty while it runs."""
    return "" if stage.status == "running" else duration(stage.seconds)


def _begun(stages: Sequence[StageRecord]) -> list[StageRecord]:
    return [stage for stage in stages if stage.started > 0]
