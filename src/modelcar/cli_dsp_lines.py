"""What the verbs of a pipelines server print for people: lines, one a thing."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import click

from modelcar.wording import duration, line

if TYPE_CHECKING:
    from modelcar.dsp.ending import Ending
    from modelcar.dsp.schedules import Schedule


def ending_lines(ending: "Ending") -> Iterator[str]:
    """Yield a line for each stage, else each task, and for each thing that came out."""
    record = ending.record
    for one in record.stages:
        yield f"{one.name:<11}{one.status:<11}{duration(one.seconds):>8}  {one.detail}".rstrip()
    if not record.stages:
        yield from map(str, ending.tasks)
    for label, text in (
        ("state", ending.state),
        ("image", record.digest and _built(ending)),
        ("mirror", record.mirror),
        ("registered", record.registered),
        ("endpoint", record.endpoint),
    ):
        if text:
            yield f"{label:<11}{text}"


def _built(ending: "Ending") -> str:
    build = next(one for one in ending.record.stages if one.name == "build")
    name = build.result["image"].get("name", "")
    return f"{name}@{ending.record.digest}" if name else ending.record.digest


def schedule_row(one: "Schedule") -> tuple[str, ...]:
    """Return the cells of a schedule."""
    enabled = "yes" if one.enabled else "no"
    version, last = one.pipeline_version_id, one.last_created
    return (one.model, one.version, one.cron, enabled, version, last, one.last_state)


def print_rows(heads: tuple[str, ...], found: Iterable[Sequence[str]]) -> None:
    """Print a line a row, whatever the terminal's width: for grep too."""
    rows = [heads, *([line(text) or "-" for text in row] for row in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
