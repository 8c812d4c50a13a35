"""The tasks of a run as a table that changes in place, on a terminal."""

from contextlib import ExitStack, nullcontext
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from modelcar.dsp.watch import Task
from modelcar.resting import resting
from modelcar.wording import duration

_STYLES: Final = {"running": "cyan", "succeeded": "green", "failed": "red", "canceled": "yellow"}


class Tables:
    """One row a task, on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False)
        self._rests = nullcontext() if console else resting(lambda: self._lines)
        self._lines, self._open = 0, ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._live)
        self._open.enter_context(self._rests)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def show(self, tasks: tuple[Task, ...]) -> None:
        """Show the tasks as they are now."""
        table = Table("task", "state", "time", box=None)
        for task in tasks:
            took = duration(task.seconds) if task.seconds else ""
            table.add_row(task.name, task.state, took, style=_STYLES.get(task.state, ""))
        self._lines = len(self._console.render_lines(table))
        self._live.update(table, refresh=True)
