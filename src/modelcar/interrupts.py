"""Ctrl-C ends the process within two seconds, whatever it waits for; a second one ends it at once.

A thread hears of the signal through the pipe that the C handler writes to: the main thread may be
in a call that no exception ends, such as the resolution of a name.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

LONGEST: Final = 1.5
"""Seconds in which what was begun may be put away."""


@contextmanager
def heeded(leave: Callable[[], NoReturn]) -> Iterator[None]:
    """Have SIGINT raise KeyboardInterrupt meanwhile, and `leave` called where that takes too long.

    Only the main thread can; elsewhere, and where SIGINT is ignored, nothing changes.
    """
    ours = threading.current_thread() is threading.main_thread()
    if not ours or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)
    handler, pipe = signal.signal(signal.SIGINT, _first), signal.set_wakeup_fd(told)
    watch = threading.Thread(target=_watch, args=(heard, leave), name="interrupts", daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(pipe)
        signal.signal(signal.SIGINT, handler)
        os.close(told)
        watch.join()
        os.close(heard)


class _Shield:
    """Of the main thread: nobody else is interrupted."""

    depth = 0
    struck = False


@contextmanager
def kept_off() -> Iterator[None]:
    """Have an interrupt wait until what is done here is done, so that no line stays half."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Shield.depth += 1
    try:
        yield
    finally:
        _Shield.depth -= 1
    if _Shield.struck and not _Shield.depth:
        _Shield.struck = False
        raise KeyboardInterrupt


def _first(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, _later)
    if not _Shield.depth:
        raise KeyboardInterrupt
    _Shield.struck = True


def _later(number: int, frame: FrameType | None) -> None:
    """Do nothing: the thread that watches ends the process."""


def _watch(heard: int, leave: Callable[[], NoReturn]) -> None:
    if _interrupted(heard) and _goes_on(heard):
        leave()


def _goes_on(heard: int) -> bool:
    """Return whether the work still goes on when its time is up, or another interrupt came."""
    end = time.monotonic() + LONGEST
    while (left := end - time.monotonic()) > 0:
        if not select.select([heard], [], [], left)[0]:
            return True
        if (sent := os.read(heard, 1)) in (b"", bytes([signal.SIGINT])):
            return sent != b""
    return True


def _interrupted(heard: int) -> bool:
    """Wait for an interrupt; return whether it came before the end of the work."""
    while (sent := os.read(heard, 1)) not in (b"", bytes([signal.SIGINT])):
        pass
    return sent != b""
