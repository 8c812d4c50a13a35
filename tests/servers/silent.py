"""A server that takes connections and never answers."""

import socket
from typing import Self


class SilentServer:
    """Listens at `host` while it is entered."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self._socket.settimeout(60)
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def accept(self) -> socket.socket:
        """Return the next connection; raise TimeoutError where none comes."""
        return self._socket.accept()[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
