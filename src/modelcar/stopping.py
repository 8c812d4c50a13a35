"""What ends a process from outside: SIGTERM is heeded as an interrupt is."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from modelcar.errors import Stopped


@contextmanager
def heeded() -> Iterator[None]:
    """Have SIGTERM raise Stopped meanwhile, so that what was begun is put away.

    Only the main thread can; elsewhere nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def leave(code: int) -> NoReturn:
    """End the process at once: other threads may wait for a server that is silent."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    raise Stopped
