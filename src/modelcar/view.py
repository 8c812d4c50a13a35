"""What a person sees of long work: stages, transfers, and what stands; here as calm log lines."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol, Self

from modelcar.errors import Stopped, VerificationError
from modelcar.progress import Advance, LogLines, Progress
from modelcar.records import RunRecorder
from modelcar.standing import Standing
from modelcar.values import StageRecord
from modelcar.wording import duration, rate, size

_STEP: Final = 0.1
"""The part of a transfer that moves between two lines about it, at least."""
_PAUSE: Final = 30.0
"""Seconds between two lines about one transfer, at least."""
_WATCHING: Final = "modelcar.serving.watching"
_INTERRUPTED: Final = ("it was interrupted", Stopped.why)
"""Why a stage ended, as its record says it."""
log = logging.getLogger(__name__)


class View(Progress, Protocol):
    """Shows stages and transfers while it is entered."""

    standing: Standing
    lasting: bool
    """Whether its list of stages stays in sight."""
    restore: str
    """What makes the terminal ready for a line of another."""

    def stage(self, record: StageRecord) -> None:
        """Show a stage that begins, or has ended."""

    def aside(self, label: str, total: int = 0) -> AbstractContextManager[Advance]:
        """Show what another program moves: at most `total` bytes, unless 0; it counts nowhere."""

    def still(self, patience: float) -> None:
        """Show nothing more, for the process ends; wait so long at most for what is being shown."""


class Recorder(RunRecorder):
    """Records the stages of one run, if there is a `folder`, and has a view show them."""

    def __init__(self, view: View, folder: Path | None = None, run_id: str = "") -> None:
        super().__init__(folder, run_id, view.stage)
        self._view = view

    def write(self, record: StageRecord) -> None:
        """Write a record where there is a folder; the first of a stage is shown before."""
        if record.status == "running":
            self._view.stage(record)
        super().write(record)


class Notes(logging.Handler):
    """Hears of what the cluster is waited for, for as long as it is started."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(logging.INFO)
        self._standing = standing

    def start(self) -> None:
        """Begin to hear."""
        logging.getLogger(_WATCHING).addHandler(self)

    def stop(self) -> None:
        """Hear no more."""
        logging.getLogger(_WATCHING).removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a line."""
        self._standing.note = record.getMessage()


class Lines(LogLines):
    """A line as a stage begins and ends, and now and then about a long transfer."""

    lasting = False

    def __init__(self) -> None:
        self.standing = Standing()
        self._notes = Notes(self.standing)
        self.restore = "\n" if sys.stderr.isatty() else ""  # behind the ^C that a terminal shows

    def __enter__(self) -> Self:
        self._notes.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._notes.stop()

    def stage(self, record: StageRecord) -> None:
        """Log a stage that begins, or has ended."""
        self.standing.record(record)
        log.info("%s", told(record))

    @contextmanager
    def transfer(self, label: str, total: int) -> Iterator[Advance]:
        """Log how far a long transfer is, now and then, and how it ended."""
        steps = _Steps(label, total)

        with super().transfer(label, total), counted(self.standing.advance) as count:

            def advance(moved: int) -> None:
                count(moved)
                steps.advance(moved)

            yield advance
        self.standing.through()

    @contextmanager
    def aside(self, label: str, total: int = 0) -> Iterator[Advance]:
        """Log how far it is, now and then."""
        yield _Steps(label, total).advance

    def still(self, patience: float) -> None:
        """Do nothing: a line is whole once it is logged."""


class Unseen(Lines):
    """Says nothing of stages, for commands of one; of long transfers as all lines do."""

    def stage(self, record: StageRecord) -> None:
        """Take note of a stage."""
        self.standing.record(record)


class _Steps:
    """Logs a transfer after each tenth of it, no sooner than half a minute after the last time."""

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total = label, total
        self._began = self._last = time.monotonic()
        self._moved = self._told = 0

    def advance(self, moved: int) -> None:
        self._moved += moved
        now = time.monotonic()
        if now - self._last >= _PAUSE and self._moved - self._told >= self._total * _STEP:
            self._told, self._last = self._moved, now
            log.info("%s", self._line(now - self._began))

    def _line(self, seconds: float) -> str:
        speed = rate(self._moved, seconds)
        if not 0 < self._moved <= self._total:
            return f"{self._label}: {size(self._moved)}, {speed}"
        left = duration((self._total - self._moved) * seconds / self._moved)
        of = f"{self._moved / self._total:.0%} of {size(self._total)}"
        return f"{self._label}: {of}, {speed}, {left} left"


@contextmanager
def counted(count: Advance) -> Iterator[Advance]:
    """Have bytes counted as they move, and taken back where they are not what they should be."""
    moved = 0

    def advance(more: int) -> None:
        nonlocal moved
        moved += more
        count(more)

    try:
        yield advance
    except VerificationError:  # they are fetched again, and would count twice
        count(-moved)
        raise


def told(record: StageRecord) -> str:
    """Say in one line how a stage stands."""
    said = state(record)
    if said == "running":
        return f"{record.name}: begins"
    took = "" if said in ("skipped", "rendered") else f" after {duration(record.seconds)}"
    return f"{record.name}: {said}{took}" + (f": {record.detail}" if record.detail else "")


def state(record: StageRecord) -> str:
    """Return how a stage stands, in one word."""
    if record.status == "failed" and record.result.get("why") in _INTERRUPTED:
        return "interrupted"
    return "done" if record.status == "succeeded" else record.status
