"""An end for an answer that goes on byte by byte: to a socket's timeout any byte is news."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import urllib3
from urllib3.exceptions import HTTPError

from modelcar import connections

_LOOKS: Final = 20
"""How often it is looked, within the time that a block has."""


class Pace:
    """Reads one answer, and breaks it off where a block takes longer than `STORE` seconds."""

    def __init__(self) -> None:
        self.late = False
        self._since = 0.0
        """When the block that is read was begun; 0 while none is, as its reader stores the last."""
        self._over = threading.Event()

    def blocks(self, response: urllib3.BaseHTTPResponse, size: int) -> Iterator[bytes]:
        """Yield the body in blocks of `size` bytes; raise urllib3's HTTPError, of one too slow too.

        It is not decoded, and the answer is not closed.
        """
        threading.Thread(target=self._watch, args=(response,), daemon=True).start()
        try:
            while block := self._block(response, size):
                yield block
        finally:
            self._over.set()

    def _block(self, response: urllib3.BaseHTTPResponse, size: int) -> bytes:
        self._since = time.monotonic()
        try:
            block = response.read(size, decode_content=False)
        except HTTPError:
            if not self.late:
                raise
        self._since = 0.0
        if self.late:
            raise connections.TooSlow
        return block

    def _watch(self, response: urllib3.BaseHTTPResponse) -> None:
        """End what is read too long; urllib3 raises these where it has just ended by itself."""
        while not self._over.wait(connections.STORE / _LOOKS):
            if (since := self._since) and time.monotonic() - since > connections.STORE:
                self.late = True
                with suppress(RuntimeError, ValueError, OSError):
                    response.shutdown()
                return
