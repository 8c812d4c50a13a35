"""The proxy of a company's network: it opens tunnels to hosts that nobody else can reach."""

import http.server
import socket
import threading
from types import TracebackType
from typing import Self

from tests import canary
from tests.servers.cutter import bridge


class ForwardProxy:
    """Leads every CONNECT to 127.0.0.1, whatever host it names, as a context manager.

    There to `port`, else to the one that is asked for. Other requests are refused; `asked` holds
    the method and target of each, `credentials` what came along.
    """

    def __init__(self, port: int = 0) -> None:
        self.target = port
        self.asked: list[str] = []
        self.credentials: list[str] = []
        self._server = _Server(self)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def port(self, place: str) -> int | None:
        """Return where a tunnel to `place`, a host and a port, leads; None for nowhere."""
        return self.target or int(place.rpartition(":")[2])

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


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # server_close joins them

    def __init__(self, owner: ForwardProxy) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_CONNECT(self) -> None:
        self._note()
        port = self.server.owner.port(self.path)
        if port is None:
            self.send_error(502, "no such host")
            return
        upstream = socket.create_connection(("127.0.0.1", port))
        self.send_response(200)
        self.end_headers()
        bridge(self.connection, upstream)

    def _refuse(self) -> None:
        self._note()
        self.send_error(403, "only tunnels")

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = _refuse

    def _note(self) -> None:
        canary.arrived(self.headers)
        self.server.owner.asked.append(f"{self.command} {self.path}")
        self.server.owner.credentials.append(self.headers.get("Proxy-Authorization", ""))

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet: `asked` says what was asked."""
