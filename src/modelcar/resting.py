"""Ctrl-Z: while the process rests, the terminal is the shell's, with its cursor."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Final

_STDERR: Final = 2
_LEFT, _TAKEN = b"\x1b[?25h\n", b"\x1b[?25l"
"""The cursor is shown below the picture, and hidden again."""


@contextmanager
def resting(
    lines: Callable[[], int], guard: AbstractContextManager[object] | None = None
) -> Iterator[None]:
    """Leave the terminal to the shell whenever the process is stopped, and then take it again.

    The next picture, which may be drawn where `guard` is not held, gets `lines` of its own: it goes
    up as many, and must not wipe out what the shell wrote. Only the main thread can do so;
    elsewhere nothing changes, nor where the signal is ignored.
    """

    def rest(number: int, frame: FrameType | None) -> None:
        with guard or nullcontext():
            os.write(_STDERR, _LEFT)
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)  # here it stops
            signal.signal(number, rest)
            os.write(_STDERR, _TAKEN + b"\n" * lines())

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTSTP) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTSTP, rest)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
