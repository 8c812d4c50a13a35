"""What verbs print for people: a run's summary, a model's versions."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelcar.values import RunRecord, StageRecord
from modelcar.wording import duration, line, shown

if TYPE_CHECKING:
    from modelcar.model_registry.versions import Registered


def print_run(record: RunRecord, out: Path, *, stages: bool = True) -> None:
    """Print a run's summary, with a line a stage if `stages` are not in sight."""
    for stage in record.stages if stages else ():
        click.echo(shown(_stage(stage)))
    for label, text in (
        ("image", record.digest and _built(record)),
        ("mirror", record.mirror),
        ("registered", record.registered),
        ("endpoint", record.endpoint),
        ("report", str(out / "report.html")),
    ):
        if text:
            click.echo(shown(f"{label:<11}{text}"))


def print_versions(versions: "Sequence[Registered]") -> None:
    """Print the versions of a model, a line each, whatever the terminal's width: for grep too."""
    heads = ("VERSION", "DIGEST", "STATE", "CREATED", "RUN", "DEPLOYED", "VERIFIED")
    rows = [heads, *map(_version, versions)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def _version(item: "Registered") -> tuple[str, ...]:
    told = (item.digest, item.state, item.created, item.run, ",".join(item.deployed), item.verified)
    return (line(item.name), *(line(text) or "-" for text in told))


def _stage(stage: StageRecord) -> str:
    return f"{stage.name:<11}{stage.status:<11}{duration(stage.seconds):>8}  {stage.detail}"


def _built(record: RunRecord) -> str:
    for stage in record.stages:
        if stage.name == "build":
            image = stage.result["image"]
            return f"{image['name']}@{image['digest']}"
    return record.digest
