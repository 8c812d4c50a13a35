"""What people and scripts see: bars, tables, and the JSON of each verb."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.progress import Progress as RichProgress
from rich.table import Table

from modelcar.gpu import Fit, told
from modelcar.progress import WORTH_SHOWING, Advance
from modelcar.values import Plan, RunRecord, StageRecord
from modelcar.wording import duration, line, size

if TYPE_CHECKING:
    from modelcar.model_registry.versions import Registered


class Bars:
    """One bar a transfer, on standard error."""

    def __init__(self) -> None:
        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextmanager
    def transfer(self, label: str, total: int) -> Iterator[Advance]:
        """Show a bar of `total` bytes, unless they are few."""
        if total < WORTH_SHOWING:
            yield lambda _: None
            return
        task = self._bars.add_task(escape(label), total=total)
        yield lambda moved: self._bars.advance(task, moved)


def print_plan(plan: Plan, fit: Fit) -> None:
    """Print the plan as a table, and whether the model fits on its GPUs."""
    console, held = Console(), {f.path for item in plan.layers if item.reused for f in item.files}
    console.print(_title(plan), markup=False, highlight=False, soft_wrap=True)
    table = Table()
    for name in ("file", "size", "layer"):
        table.add_column(name, justify="right" if name == "size" else "left", overflow="fold")
    for number, item in enumerate(plan.layers, 1):
        for file in item.files:
            state = "reused" if file.path in held else f"{number}"
            table.add_row(escape(file.path), size(file.size), state)
    console.print(table)
    for left in plan.left_out:
        console.print(f"left out: {left.path} ({size(left.size)}): {left.reason}", markup=False)
    for warning in plan.warnings:
        console.print(f"warning: {warning}", markup=False)
    console.print(_totals(plan), markup=False)
    console.print(f"GPUs: {told(fit)}", markup=False, highlight=False, soft_wrap=True)


def print_run(record: RunRecord, out: Path) -> None:
    """Print a run's summary."""
    console = Console(soft_wrap=True)
    for stage in record.stages:
        console.print(_stage(stage), markup=False, highlight=False)
    for label, text in (
        ("image", record.digest and _built(record)),
        ("mirror", record.mirror),
        ("registered", record.registered),
        ("endpoint", record.endpoint),
        ("report", str(out / "report.html")),
    ):
        if text:
            console.print(f"{label:<11}{text}", markup=False, highlight=False)


def print_versions(versions: "Sequence[Registered]") -> None:
    """Print the versions of a model, a line each, whatever the terminal's width: for grep too."""
    heads = ("VERSION", "DIGEST", "STATE", "CREATED", "RUN", "DEPLOYED", "VERIFIED")
    rows = [heads, *map(_version, versions)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())  # noqa: T201


def _version(item: "Registered") -> tuple[str, ...]:
    told = (item.digest, item.state, item.created, item.run, ",".join(item.deployed), item.verified)
    return (line(item.name), *(line(text) or "-" for text in told))


def _title(plan: Plan) -> str:
    at = f" at {plan.commit}" if plan.commit else ""
    return f"{plan.model} {plan.version}: {plan.source.uri}{at}"


def _totals(plan: Plan) -> str:
    moved, layers = plan.bytes, len(plan.layers)
    return (
        f"{size(moved.downloaded)} to download, {size(moved.uploaded)} to upload, "
        f"{size(moved.reused)} reused, {layers} layer{'s' if layers != 1 else ''}"
    )


def _stage(stage: StageRecord) -> str:
    return f"{stage.name:<11}{stage.status:<11}{duration(stage.seconds):>8}  {stage.detail}"


def _built(record: RunRecord) -> str:
    for stage in record.stages:
        if stage.name == "build":
            image = stage.result["image"]
            return f"{image['name']}@{image['digest']}"
    return record.digest
