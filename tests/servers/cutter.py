"""A TCP proxy that can cut every connection at once."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self


class Cutter:
    """Forward connections to 127.0.0.1:`port`, as a context manager."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def cut(self) -> int:
        """End the connections that are open, and return how many there were."""
        ends, self._open = self._open, []
        for end in ends:
            _end(end)
        return len(ends) // 2

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _end(self._listener)
        self._threads[0].join()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with self._listener:
            while True:
                try:
                    client, _ = self._listener.accept()
                except OSError:
                    return
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [client, server]
                self._spawn(bridge, client, server)

    def _spawn(self, run: object, *ends: socket.socket) -> None:
        thread = threading.Thread(target=run, args=ends)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()


def bridge(client: socket.socket, server: socket.socket) -> None:
    with client, server:
        back = threading.Thread(target=_forward, args=(server, client))
        back.start()
        _forward(client, server)
        back.join()


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while block := source.recv(65536):
            sink.sendall(block)
    _end(sink)
    _end(source)


def _end(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
