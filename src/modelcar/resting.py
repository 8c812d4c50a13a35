"""Ctrl-Z: while the process rests, the terminal is the shell's, with its cursor."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_STDERR: Final = 2
_PATIENCE: Final = 0.2
"""Seconds to wait for a picture that is drawn."""
_LEFT, _TAKEN = b"\x1b[?25h\n", b"\x1b[?25l"
"""The cursor is shown below the picture, and hidden again."""


@contextmanager
def resting(lines: Callable[[], int], guard: "threading.RLock | None" = None) -> Iterator[None]:
    """Leave the terminal to the shell whenever the process is stopped, and then take it again.

    The next picture, which may be drawn where `guard` is not held, gets `lines` of its own: it goes
    up as many, and must not wipe out what the shell wrote. Only the main thread can do so, once a
    call that no signal ends is over; elsewhere nothing changes, nor where the signal is ignored.
    """

    def rest(number: int, frame: FrameType | None) -> None:
        # Who draws may wait for what the main thread holds, which waits here.
        held = guard is not None and guard.acquire(timeout=_PATIENCE)
        os.write(_STDERR, _LEFT)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # here it stops
        signal.signal(number, rest)
        os.write(_STDERR, _TAKEN + b"\n" * lines())
        if guard is not None and held:
            guard.release()

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTSTP, rest)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
