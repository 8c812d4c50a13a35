"""Ctrl-C or SIGTERM ends the process within two seconds; a second one ends it at once.

A thread hears of the signal through the pipe that the C handler writes to: the main thread may be
in a call that no exception ends, such as the resolution of a name. Only the first signal raises:
one that came while the command puts things away would break that off.
"""

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NoReturn

from modelcar.errors import Stopped

Leave = Callable[[int], NoReturn]
"""Ends the process with an exit code."""
LONGEST: Final = 1.5
"""Seconds in which what was begun may be put away."""
_RAISED: Final[Mapping[int, type[KeyboardInterrupt]]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Stopped,
}


@contextmanager
def heeded(leave: Leave) -> Iterator[None]:
    """Have SIGINT raise KeyboardInterrupt and SIGTERM Stopped, and `leave` called if all goes on.

    Only the main thread can; elsewhere nothing changes, nor for a signal that is ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard, told = os.pipe()
    os.set_blocking(told, False)
    before, pipe = _handle(_first), signal.set_wakeup_fd(told)
    watch = threading.Thread(target=_watch, args=(heard, leave), name="interrupts", daemon=True)
    watch.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(pipe)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(told)
        watch.join()
        os.close(heard)


def _handle(handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Have `handler` hear of each signal; return what did, the default for what C code set."""
    heard = [number for number in _RAISED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}
    return {number: signal.SIG_DFL if one is None else one for number, one in before.items()}


class _Shield:
    """Of the main thread: nobody else is interrupted."""

    depth = 0
    struck: type[KeyboardInterrupt] | None = None


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
    if (struck := _Shield.struck) and not _Shield.depth:
        _Shield.struck = None
        raise struck


def _first(number: int, frame: FrameType | None) -> None:
    _handle(_later)
    if not _Shield.depth:
        raise _RAISED[number]
    _Shield.struck = _RAISED[number]


def _later(number: int, frame: FrameType | None) -> None:
    """Do nothing: the thread that watches ends the process."""


def _watch(heard: int, leave: Leave) -> None:
    if (number := _interrupted(heard)) and _goes_on(heard):
        leave(128 + number)


def _goes_on(heard: int) -> bool:
    """Return whether the work still goes on when its time is up, or another interrupt came."""
    end = time.monotonic() + LONGEST
    while (left := end - time.monotonic()) > 0:
        if not select.select([heard], [], [], left)[0]:
            return True
        if not (sent := os.read(heard, 1)) or sent[0] in _RAISED:
            return sent != b""
    return True


def _interrupted(heard: int) -> int:
    """Wait for a signal; return its number, 0 where the work ends before."""
    while (sent := os.read(heard, 1)) and sent[0] not in _RAISED:
        pass
    return sent[0] if sent else 0
