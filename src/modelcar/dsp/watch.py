"""Follow a run to its end, past a server that is away for a while and a token that expires."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

from modelcar.dsp import runs
from modelcar.dsp.server import PipelinesServer
from modelcar.errors import PipelinesError
from modelcar.wording import duration, line

log = logging.getLogger(__name__)

_SLOWEST: Final = 6
"""So many intervals are between two looks at a run in which nothing changes."""
_PATIENCE: Final = 1800.0
"""Seconds for which the server may be away."""
_TRY: Final = re.compile(r"\([0-9]+\)$")
_DRIVER: Final = re.compile(r".*-driver|executor|root")


@dataclass(frozen=True, slots=True)
class Task:
    """One task as it is now; `state` in lower case, `error` what the server says of a failure."""

    name: str
    state: str
    seconds: float = 0.0
    error: str = ""

    def __str__(self) -> str:
        took = f" ({duration(self.seconds)})" if self.seconds and self.state != "running" else ""
        why = f": {self.error}" if self.error and self.state == "failed" else ""
        return f"{self.name} {self.state}{took}{why}"


class View(Protocol):
    """Shows the tasks of a run while it is entered."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *_: object) -> None:
        """Show no more."""

    def show(self, tasks: tuple[Task, ...]) -> None:
        """Show the tasks as they are now."""


class Lines:
    """One line a change: for logs, and for terminals without colour."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, tasks: tuple[Task, ...]) -> None:
        """Log the tasks whose state changed."""
        for task in tasks:
            if self._told.get(task.name) != task.state:
                log.info("%s", task)
        self._told.update({task.name: task.state for task in tasks})


def wait(
    server: PipelinesServer,
    run_id: str,
    names: Mapping[str, str],
    view: View,
    interval: float,
    patience: float = _PATIENCE,
    explain: Callable[[], Iterable[str]] = tuple,
) -> Any:
    """Return the run once it has ended; `interval` is in seconds, and grows while nothing changes.

    `names` are those of its tasks, by the name in the graph. `explain` says why nothing changes: a
    pod whose image cannot be had waits for ever, and KFP calls that running. Raises PipelinesError
    where the server is away for longer than `patience`, and for what cannot pass.
    """
    pause, before, told = interval, None, set[str]()
    with view:
        while True:
            run = _look(server, run_id, interval, patience)
            now = tuple(tasks_of(run, names))
            view.show(now)
            if runs.state(run) in runs.ENDED:
                return run
            states = [(task.name, task.state) for task in now]
            if states == before and pause >= interval * _SLOWEST:
                told |= _say(set(explain()) - told)
            pause = interval if states != before else min(pause * 1.5, interval * _SLOWEST)
            before = states
            time.sleep(pause)


def _say(lines: set[str]) -> set[str]:
    for text in sorted(lines):
        log.warning("%s", text)
    return lines


def tasks_of(run: Any, names: Mapping[str, str]) -> Iterator[Task]:
    """Yield the tasks that people know, in the order in which they began; of tries the last.

    Those of `names`; where the server has none of these, all that are no driver's.
    """
    began = sorted(runs.tasks(run), key=lambda one: runs.when(one.start_time or one.create_time))
    every = {str(one.display_name or one.task_id): one for one in began}
    # A task with tries is a node of its own, which says whether there is another try to come.
    found = {_TRY.sub("", name): every.get(_TRY.sub("", name), one) for name, one in every.items()}
    known = {name: one for name, one in found.items() if name in names}
    shown = known or {n: one for n, one in found.items() if not _DRIVER.fullmatch(n)}
    for name, one in shown.items():
        error = line(str(one.error.message or "")) if one.error else ""
        took = runs.seconds(one.start_time, one.end_time)
        yield Task(names.get(name, name), runs.state(one).lower(), took, error)


def _look(server: PipelinesServer, run_id: str, interval: float, patience: float) -> Any:
    """Return the run as it is now, as soon as the server answers."""
    began, pause, read = time.monotonic(), interval, server.runs.run_service_get_run
    told = False
    while True:
        try:
            return server.tell(f"reading run {run_id}", read, run_id)
        except PipelinesError as error:
            passes = error.may_pass or error.status == 401
            if not passes or time.monotonic() - began > patience:
                error.add_note(f"the run itself goes on; `modelcar runs` says how it is: {run_id}")
                raise
            if not told:
                log.warning("%s; looking again, the run goes on", error)
                told = True
        time.sleep(pause)
        pause = min(pause * 1.5, interval * _SLOWEST)
