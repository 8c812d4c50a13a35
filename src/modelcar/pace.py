"""An end for answers that go on byte by byte: to a socket's timeout any byte is news.

One thread looks at all that is read. It counts its looks, not the clock: a process that rests, as
by Ctrl-Z, has not waited for anybody.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

EVERY: Final = 1.0
"""Seconds between two looks."""
_BLOCK: Final = 1 << 16
_BROKEN: Final = (HTTPError, OSError, ValueError, AttributeError, TypeError)
"""What comes of a connection that another thread shuts down, in the middle of anything."""


class TooSlow(HTTPError):
    """Bytes come, but not enough of them."""

    def __str__(self) -> str:
        return "its answer comes too slowly"


def blocks(response: urllib3.BaseHTTPResponse, size: int, seconds: float) -> Iterator[bytes]:
    """Yield an answer's body, as it was sent, in blocks of `size` bytes; each has so many seconds.

    The answer is not closed. Raises TooSlow, and what urllib3 raises.
    """
    with _looked_at(response, seconds) as reading:
        while block := reading.take(lambda: response.read(size, decode_content=False)):
            yield block
            reading.begin()


def whole(response: urllib3.BaseHTTPResponse, most: int, seconds: float) -> Iterator[bytes]:
    """Yield an answer's body, as it was sent, as it comes; all of it has so many seconds.

    At most `most` bytes and one are read. Raises TooSlow, and what urllib3 raises.
    """
    left = most + 1
    with _looked_at(response, seconds, always=True) as reading:
        while left and (block := reading.take(partial(_next, response, left))):
            left -= len(block)
            yield block
    if not left:
        response.close()


def _next(response: urllib3.BaseHTTPResponse, most: int) -> bytes:
    return response.read1(min(_BLOCK, most), decode_content=False)


class _Reading:
    """One answer that is read: its time passes `always`, or only while its reader waits."""

    def __init__(self, response: urllib3.BaseHTTPResponse, seconds: float, always: bool) -> None:
        self._response, self._seconds, self._always = response, seconds, always
        self._waits = self._late = False
        self.begin()

    def begin(self) -> None:
        """Give it all of its time again."""
        self._left = self._seconds

    def take(self, read: Callable[[], bytes]) -> bytes:
        """Return what `read` returns; raise TooSlow where that takes too long."""
        self._waits = True
        try:
            block = read()
        except _BROKEN as error:
            if self._late:
                raise TooSlow from error
            raise
        finally:
            self._waits = False
        if self._late:
            raise TooSlow
        return block

    def look(self) -> None:
        """Take a look's time from it; where none is left, break it off."""
        self._left -= EVERY if self._waits or self._always else 0.0
        if self._left >= 0 or self._late:
            return
        # What `HTTPResponse.shutdown` calls, but that lets a fast peer go on: Linux ends a
        # connection at once only where both of its ways are shut. None for TLS within TLS.
        if shut := getattr(self._response, "_sock_shutdown", None):
            self._late = True
            with suppress(OSError):  # it has just ended by itself
                shut(socket.SHUT_RDWR)


_readings: Final[set[_Reading]] = set()
_guard: Final = threading.Lock()
_thread: Final[list[threading.Thread]] = []


@contextmanager
def _looked_at(
    response: urllib3.BaseHTTPResponse, seconds: float, *, always: bool = False
) -> Iterator[_Reading]:
    reading = _Reading(response, seconds, always)
    with _guard:
        _readings.add(reading)
        if not _thread:
            _thread.append(threading.Thread(target=_look, name="pace", daemon=True))
            _thread[0].start()
    try:
        yield reading
    finally:
        with _guard:
            _readings.discard(reading)


def _look() -> None:
    while True:
        time.sleep(EVERY)
        with _guard:
            readings = tuple(_readings)
        for reading in readings:
            reading.look()
