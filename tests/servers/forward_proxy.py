"""The proxy of a company's network: it opens tunnels to hosts that nobody else can reach."""

import http.server
import socket
from typing import Any

from tests import canary
from tests.servers.cutter import bridge
from tests.servers.loopback import LoopbackServer


class ForwardProxy(LoopbackServer):
    """Leads every CONNECT to 127.0.0.1, whatever host it names, as a context manager.

    There to `port`, else to the one that is asked for. Other requests are refused; `asked` holds
    the method and target of each, `credentials` what came along.
    """

    def __init__(self, port: int = 0) -> None:
        self.handler = _Handler
        super().__init__()
        self.target = port
        self.asked: list[str] = []
        self.credentials: list[str] = []
        self.host = self.url.partition("://")[2]

    def port(self, place: str) -> int | None:
        """Return where a tunnel to `place`, a host and a port, leads; None for nowhere."""
        return self.target or int(place.rpartition(":")[2])


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Any

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
