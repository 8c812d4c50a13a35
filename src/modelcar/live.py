"""One view of a command at work, on a terminal: its stages, what moves now, and how far all is."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, Self

from rich.console import Console
from rich.control import Control
from rich.live import Live as RichLive
from rich.progress import Progress as RichProgress
from rich.segment import ControlType

from modelcar import interrupts
from modelcar.live_rows import Row, Screen
from modelcar.progress import WORTH_SHOWING, Advance
from modelcar.resting import resting
from modelcar.standing import Standing
from modelcar.values import StageRecord
from modelcar.view import Notes, counted

_RESTORE: Final = "\x1b[?25h\n"
"""Shows the cursor, which the view hides, below what the view shows."""
_PAUSE: Final = 0.125
"""Seconds between two pictures."""


class _OneByOne(Console):
    """Standard error, to which one thread writes at a time.

    Else a line that is logged would go up as many lines as the picture before the last one had.
    """

    def __init__(self, guard: threading.RLock) -> None:
        super().__init__(stderr=True)
        self._guard = guard

    def print(self, *given: Any, **options: Any) -> None:
        """Print as a console does."""
        with self._guard:
            super().print(*given, **options)


class Live:
    """Shows `stages` on standard error; their list stays there at the end, if `lasting`."""

    def __init__(
        self,
        stages: Sequence[str],
        *,
        lasting: bool = True,
        console: Console | None = None,
    ) -> None:
        self.standing = Standing()
        self._notes = Notes(self.standing)
        self.lasting, self.restore = lasting, ""
        self._guard, self._over = threading.RLock(), threading.Event()
        self._console = console or _OneByOne(self._guard)
        rests = nullcontext() if console else resting(lambda: len(self._widths), self._guard)
        self._rests: AbstractContextManager[None] = rests
        self._rows = {name: Row(name) for name in stages}
        self._bars = RichProgress(console=self._console, auto_refresh=False)
        self._total = self._bars.add_task("total", start=False)
        self._ended = False
        self._width, self._widths = self._console.width, list[int]()
        self._live = RichLive(
            console=self._console,
            get_renderable=self.screen,
            auto_refresh=False,
            vertical_overflow="crop",
            transient=not lasting,
        )

    def __enter__(self) -> Self:
        self._notes.start()
        self.restore = _RESTORE
        with interrupts.kept_off(), self._guard:
            self._live.start(refresh=True)
        self._rests.__enter__()
        threading.Thread(target=self._refresh, name="view", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._rests.__exit__(None, None, None)
        self._notes.stop()
        self._over.set()
        with interrupts.kept_off(), self._guard:
            self._ended = True
            self._live.stop()
            self.restore = ""

    def stage(self, record: StageRecord) -> None:
        """Show a stage that begins, or has ended."""
        self.standing.record(record)
        row = self._rows.setdefault(record.name, Row(record.name))
        row.began = time.monotonic() if record.status == "running" else row.began
        row.record = record

    @contextmanager
    def transfer(self, label: str, total: int) -> Iterator[Advance]:
        """Show a bar of `total` bytes, unless they are few; they count in the total anyway."""
        self._bars.update(self._total, total=self.standing.to_move)
        self._bars.start_task(self._total)
        with self.aside(label, total) as shown, counted(self._count) as count:

            def advance(moved: int) -> None:
                count(moved)
                shown(moved)

            yield advance
        self.standing.through()

    def _count(self, moved: int) -> None:
        self.standing.advance(moved)
        self._bars.advance(self._total, moved)

    @contextmanager
    def aside(self, label: str, total: int = 0) -> Iterator[Advance]:
        """Show a bar of `total` bytes, unless they are few."""
        named, few = label.partition(" ")[2] or label, 0 < total < WORTH_SHOWING
        task = self._bars.add_task(named, total=total or None, visible=not few)
        try:
            yield lambda moved: self._bars.advance(task, moved)
        finally:
            self._bars.remove_task(task)

    def still(self, patience: float) -> None:
        """Draw nothing more: no picture, and no line that would come with one."""
        self._over.set()
        self._guard.acquire(timeout=patience)  # for good

    def _refresh(self) -> None:
        while not self._over.wait(_PAUSE):
            with self._guard:
                if not self._ended:
                    self._live.refresh()

    def screen(self) -> Screen:
        """Return what is shown now."""
        self._wipe()
        rows = [*self._rows.values()]
        total, *bars = self._bars.tasks
        moving = [bar for bar in bars if bar.visible]
        return Screen(rows, self.standing, moving, total, self._ended, self._widths)

    def _wipe(self) -> None:
        """Remove the lines that a terminal made of ours as it became narrower."""
        width = self._console.width
        more = sum(max(0, -(-cells // width) - 1) for cells in self._widths)
        if width < self._width and more:
            up = ((ControlType.CURSOR_UP, 1), (ControlType.ERASE_IN_LINE, 2))
            self._console.control(Control(*up * more))
        self._width = width
