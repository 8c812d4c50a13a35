"""The lines of the live view: stages, bars and the total, for a terminal of any size. Pure."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.console import Group as Lines
from rich.padding import Padding
from rich.progress import Task
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from modelcar.standing import Standing
from modelcar.values import StageRecord
from modelcar.view import state
from modelcar.wording import duration, line, size

NARROW: Final = 60
"""Columns below which a bar is a percentage, and a stage's text has a line of its own."""
_MOST: Final = 8
"""Bars at most; the others are counted."""
_STYLES: Final = {
    **{"running": "cyan", "done": "green", "rendered": "green", "failed": "red"},
    **{"interrupted": "yellow", "waiting": "dim", "not begun": "dim", "skipped": "dim"},
}
_LEAST: Final = 3
"""Lines that are kept below the stages, for the total."""
_MOVING: Final = ("build", "download")
_DIGEST: Final = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")


@dataclass(slots=True)
class Row:
    """One stage; `began` by the monotonic clock."""

    name: str
    record: StageRecord | None = None
    began: float = 0.0

    def state(self, ended: bool) -> str:
        """Return how it stands, in a word or two; `ended` is whether nothing goes on."""
        if self.record is None:
            return "not begun" if ended else "waiting"
        return state(self.record)

    def took(self) -> str:
        """Return its seconds, nothing for what did not run."""
        if self.record is None or self.record.status in ("skipped", "rendered"):
            return ""
        running = self.record.status == "running"
        return duration(time.monotonic() - self.began if running else self.record.seconds)

    def text(self, now: Standing) -> str:
        """Return what came out, or what goes on."""
        if self.record is None:
            return ""
        if self.record.status == "running":
            return now.note or _through(self.name, now)
        if self.record.status == "failed":
            return _why(self.record) if state(self.record) == "failed" else ""
        return _DIGEST.sub(r"\1…", line(self.record.detail))


@dataclass(frozen=True, slots=True)
class Screen:
    """What is shown at one moment; `widths` takes the cells of each line that was."""

    rows: Sequence[Row]
    now: Standing
    bars: Sequence[Task]
    total: Task
    ended: bool
    widths: list[int]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.max_height if options.max_height < options.size.height else 0
        room = max(1, (height or options.size.height) - 1)
        shown = Lines(*self._parts(options.max_width, room))
        lines = console.render_lines(shown, options.update(height=None), pad=False)
        lines = lines if self.ended else lines[:room]
        self.widths[:] = [Segment.get_line_length(one) for one in lines]
        for one in lines:
            yield from one
            yield Segment.line()

    def _parts(self, width: int, height: int) -> Iterator[RenderableType]:
        rows, below, room = list(self.rows), width < NARROW, height - _LEAST
        if not self.ended:
            below = below and self._lines(rows, below) <= room
            rows = _fitting(rows, room)
        yield from _stages([(row, row.text(self.now)) for row in rows], below, self.ended)
        if not self.ended:
            yield from self._moving(width < NARROW, height - self._lines(rows, below))

    def _lines(self, rows: Sequence[Row], below: bool) -> int:
        return len(rows) + below * sum(bool(row.text(self.now)) for row in rows)

    def _moving(self, narrow: bool, room: int) -> Iterator[RenderableType]:
        counted = self.now.to_move > 0 and self.now.stage in _MOVING
        room -= 2 * counted + 1
        shown = self.bars[: max(0, min(_MOST, room if len(self.bars) <= room else room - 1))]
        if shown or counted:
            yield Text("")
        if shown:
            yield _table(shown, narrow)
        if (others := len(self.bars) - len(shown)) and room > 0:
            yield Text(f"and {others} more", style="dim")
        if counted:
            yield _table([self.total], narrow)
            yield Text(f"{size(self.now.reused)} reused", style="dim")


def _fitting(rows: Sequence[Row], room: int) -> list[Row]:
    """Return as many rows as there is room for: the last that began, before those that wait."""
    begun = [row for row in rows if row.record is not None]
    waiting = [row for row in rows if row.record is None]
    room = max(1, room)
    return [*begun[-room:], *waiting[: max(0, room - len(begun))]]


def _stages(rows: Iterable[tuple[Row, str]], below: bool, ended: bool) -> Iterator[RenderableType]:
    """Yield the stages, each with its text beside it or below it; at the end a text may wrap."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for row, text in rows:
        said = row.state(ended)
        head = Text.assemble(f"{row.name:<10}", (f"{said:<11}", _STYLES[said]), f"{row.took():>7}")
        shown = Text(text, no_wrap=not ended, overflow="fold" if ended else "ellipsis")
        if below:
            yield head
            if text:
                yield Padding(shown, (0, 0, 0, 2))
        else:
            table.add_row(head, shown)
    if not below:
        yield table


def _table(tasks: Iterable[Task], narrow: bool) -> Table:
    """Return a line a transfer, over the whole width."""
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    if not narrow:
        table.add_column(ratio=1)
    for width in (4, 10, 7) if narrow else (15, 10, 7):
        table.add_column(justify="right", no_wrap=True, width=width)
    for task in tasks:
        speed, left = f"{size(task.speed)}/s" if task.speed else "", task.time_remaining
        bar = [] if narrow else [ProgressBar(task.total, task.completed)]
        named = Text(line(task.description))
        table.add_row(named, *bar, _far(task, narrow), speed, _left(left))
    return table


def _far(task: Task, narrow: bool) -> str:
    if task.total is None:
        return "" if narrow else size(task.completed)
    return f"{task.percentage:.0f}%" if narrow else _of(task.completed, task.total)


def _of(part: float, total: float) -> str:
    """Word two numbers of bytes, as `1.2 of 3.4 GB` in the unit of the larger."""
    number, unit = size(total).split(" ")
    scale = total / float(number) if float(number) else 1.0
    return f"{part / scale:.1f}/{number} {unit}"


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return duration(seconds) if seconds >= 9.95 else f"{max(round(seconds), 1)}s"


def _through(stage: str, now: Standing) -> str:
    if stage == "build" and now.layers:
        return f"{now.there} of {now.layers} layers stand"
    return ""


def _why(record: StageRecord) -> str:
    why = record.result.get("why")
    return line(str(why or record.error))
