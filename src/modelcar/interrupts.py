"""Ctrl-C or SIGTERM ends the process within two seconds; a second one ends it at once.

A thread hears of the signal through the pipe that the C handler writes to: the main thread may be
in a call that no exception ends, such as the resolution of a name. Only the first signal raises:
one that came while the command puts things away would break that off. What it raises is lost where
Python passes errors over, as in `__del__` and weak references' callbacks: then it is raised again.
"""

import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any, Final, NoReturn

from modelcar.errors import Stopped

Leave = Callable[[int], NoReturn]
"""Ends the process with an exit code."""
Hook = Callable[["sys.UnraisableHookArgs"], object]
LONGEST: Final = 1.5
"""Seconds in which what was begun may be put away."""
_RAISED: Final[Mapping[int, type[KeyboardInterrupt]]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: Stopped,
}
_AGAIN: Final = signal.SIGURG
"""What the thread that watches sends to the main thread; nobody else sends it, or minds it."""
_LOST: Final = 0
"""What is written to the pipe where an interrupt was lost: no signal has this number."""
_NUDGE: Final = 0.05
"""Seconds after which the main thread is woken that has not heard of an interrupt: one may come
just before it waits for a lock, which then lasts."""


@contextmanager
def heeded(leave: Leave) -> Iterator[None]:
    """Have SIGINT raise KeyboardInterrupt and SIGTERM Stopped, and `leave` called if all goes on.

    Only the main thread can; elsewhere nothing changes, nor for a signal that is ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Shield.heard, _Shield.lost = False, None
    heard, told = os.pipe()
    os.set_blocking(told, False)
    before, pipe = _handle(_first), signal.set_wakeup_fd(told)
    before[_AGAIN] = signal.signal(_AGAIN, _once_more) or signal.SIG_DFL
    passed_over, sys.unraisablehook = sys.unraisablehook, _lost(told, sys.unraisablehook)
    watch = threading.Thread(target=_watch, args=(heard, leave), name="interrupts", daemon=True)
    watch.start()
    try:
        yield
    finally:
        sys.unraisablehook = passed_over
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
    heard = False
    lost: type[KeyboardInterrupt] | None = None
    passing: CodeType | None = None
    """What Python calls for an error that it passes over: what is raised there is lost again."""


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
    _Shield.heard = True
    _strike(_RAISED[number])


def _once_more(number: int, frame: FrameType | None) -> None:
    kind = _Shield.lost
    if kind is not None and not (frame and frame.f_code is _Shield.passing):
        _Shield.lost, _Shield.heard = None, True
        _strike(kind)


def _strike(kind: type[KeyboardInterrupt]) -> None:
    if not _Shield.depth:
        raise kind
    _Shield.struck = kind


def _lost(told: int, passed_over: Hook) -> Hook:
    """Return what hears of an error that is passed over: an interrupt is no error, but wanted."""

    def hook(given: "sys.UnraisableHookArgs") -> None:
        if not issubclass(given.exc_type, KeyboardInterrupt):
            passed_over(given)
            return
        _Shield.lost, _Shield.heard = given.exc_type, False
        os.write(told, bytes([_LOST]))

    _Shield.passing = hook.__code__
    return hook


def _later(number: int, frame: FrameType | None) -> None:
    """Do nothing: the thread that watches ends the process."""


def _watch(heard: int, leave: Leave) -> None:
    if (number := _interrupted(heard)) and _goes_on(heard):
        leave(128 + number)


def _goes_on(heard: int) -> bool:
    """Return whether the work still goes on when its time is up, or another interrupt came."""
    nudged = time.monotonic()
    end = nudged + LONGEST
    while (left := end - (now := time.monotonic())) > 0:
        if not _Shield.heard and now - nudged >= _NUDGE:
            nudged = now
            signal.pthread_kill(threading.main_thread().ident or 0, _AGAIN)
        patience = left if _Shield.heard else min(left, _NUDGE)
        if not select.select([heard], [], [], patience)[0]:
            continue
        if not (sent := os.read(heard, 1)) or sent[0] in _RAISED:
            return sent != b""
    return True


def _interrupted(heard: int) -> int:
    """Wait for a signal; return its number, 0 where the work ends before."""
    while (sent := os.read(heard, 1)) and sent[0] not in _RAISED:
        pass
    return sent[0] if sent else 0
