"""Passes bytes on between clients and an OCI registry, and counts them both ways."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

_BLOCK = 1 << 18


class Relay:
    """Leads to 127.0.0.1:`port`, as a context manager; references begin with its `host`.

    `sent` and `received` are the bytes that clients sent and received, HTTP's own lines included.
    """

    def __init__(self, port: int) -> None:
        self.port, self.sent, self.received = port, 0, 0
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def count(self, sent: int = 0, received: int = 0) -> None:
        """Add to what was counted."""
        with self._lock:
            self.sent += sent
            self.received += received

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = False  # server_close joins them; clients have ended by then

    def __init__(self, owner: Relay) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        owner = self.server.owner
        with socket.create_connection(("127.0.0.1", owner.port)) as upstream:
            back = threading.Thread(target=self._back, args=(upstream,))
            back.start()
            for length in _pass_on(self.request, upstream):
                owner.count(sent=length)
            back.join()

    def _back(self, upstream: socket.socket) -> None:
        for length in _pass_on(upstream, self.request):
            self.server.owner.count(received=length)


def _pass_on(source: socket.socket, sink: socket.socket) -> Iterator[int]:
    """Yield each block's length and pass the block on, until either end hangs up."""
    with contextlib.suppress(OSError):
        while block := source.recv(_BLOCK):
            yield len(block)
            sink.sendall(block)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
