"""The tasks of a run as a table that changes in place, on a terminal."""

from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from modelcar.dsp.watch import Task
from modelcar.wording import duration

_STYLES: Final = {"running": "cyan", "succeeded": "green", "failed": "red", "canceled": "yellow"}


class Tables:
    """One row a task, on standard error."""

    def __init__(self, console: Console | None = None) -> None:
        self._live = Live(console=console or Console(stderr=True), auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, tasks: tuple[Task, ...]) -> None:
        """Show the tasks as they are now."""
        table = Table("task", "state", "time", box=None)
        for task in tasks:
            took = duration(task.seconds) if task.seconds else ""
            table.add_row(task.name, task.state, took, style=_STYLES.get(task.state, ""))
        self._live.update(table, refresh=True)
