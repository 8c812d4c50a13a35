"""The ground of every server here: threads on 127.0.0.1, and a memory of what was asked."""

import contextlib
import http.server
import json
import re
import socket
import ssl
import struct
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from io import BufferedIOBase
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from tests import canary

BLOCK = 1 << 20
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Content(Protocol):
    """Bytes that are sent in blocks and never held as a whole."""

    @property
    def size(self) -> int: ...

    def blocks(self, start: int, stop: int) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Bytes:
    """Content that is small enough for memory."""

    data: bytes = b""

    @property
    def size(self) -> int:
        return len(self.data)

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, BLOCK):
            yield self.data[at : min(at + BLOCK, stop)]


@dataclass(frozen=True, slots=True)
class File:
    """Content that lies on disk."""

    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            stream.seek(start)
            while start < stop and (block := stream.read(min(BLOCK, stop - start))):
                start += len(block)
                yield block


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `path` is decoded and has no query, `target` is both as they were sent."""

    method: str
    target: str
    path: str
    query: Mapping[str, str]
    headers: Message
    body: bytes

    @property
    def token(self) -> str:
        """The bearer token, or nothing."""
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if scheme == "Bearer" else ""


@dataclass(frozen=True, slots=True)
class Response:
    """What to answer; `cut_after` ends the connection after so many bytes of the body."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Content = field(default_factory=Bytes)
    start: int = 0
    stop: int | None = None
    cut_after: int | None = None

    @property
    def end(self) -> int:
        return self.content.size if self.stop is None else self.stop

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Self:
        """Answer `value` as JSON; an underscore in a header's name stands for a dash."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        named["Content-Type"] = "application/json"
        return cls(status, named, Bytes(json.dumps(value).encode()))

    def ranged(self, asked: str) -> "Response":
        """Return the part that a Range header asks for: 206, or 416 when there is none."""
        match, size = _RANGE.fullmatch(asked), self.content.size
        if match is None or match[0] == "bytes=-":
            return self
        first, last = match.groups()
        start = int(first) if first else max(0, size - int(last))
        stop = min(int(last) + 1, size) if first and last else size
        if start >= stop:
            return Response(416, {"Content-Range": f"bytes */{size}"})
        headers = {**self.headers, "Content-Range": f"bytes {start}-{stop - 1}/{size}"}
        return replace(self, status=206, headers=headers, start=start, stop=stop)


@dataclass(slots=True)
class Seen:
    """One request that was seen; `target` is its path and query as sent, `sent` body bytes."""

    method: str
    target: str
    host: str
    range: str
    authorized: bool
    status: int = 0
    sent: int = 0


@dataclass(slots=True)
class _Failure:
    method: str
    ending: str
    response: Response
    times: int

    def meets(self, request: Request) -> bool:
        method = self.method in ("", request.method)
        return self.times > 0 and method and request.path.endswith(self.ending)


class LoopbackServer:
    """Serve `answer` on 127.0.0.1 and a free port, as a context manager.

    `tls` names a certificate and its key, in PEM.
    """

    handler: "type[http.server.BaseHTTPRequestHandler]"
    """What reads the requests of one connection."""

    def __init__(self, *, port: int = 0, tls: tuple[Path, Path] | None = None) -> None:
        self.requests: list[Seen] = []
        self._failures: list[_Failure] = []
        self._lock = threading.Lock()
        self._server = _Server(self, port, tls)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def answer(self, request: Request) -> Response:
        """Answer one request; requests come on several threads."""
        raise NotImplementedError

    def body(self, request: Request, stream: BufferedIOBase, length: int) -> bytes:
        """Read the body of `request`, which has `length`; a ConnectionError hangs up."""
        return stream.read(length)

    def fail(
        self,
        ending: str,
        status: int,
        *,
        times: int = 1,
        method: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"out of order",
    ) -> None:
        """Answer the next `times` requests of `method` whose path ends so with `status`."""
        response = Response(status, headers or {}, Bytes(body))
        self._failures.append(_Failure(method, ending, response, times))

    def failure(self, request: Request) -> Response | None:
        """Return the failure that this request was to meet, and count it."""
        with self._lock:
            for failure in self._failures:
                if failure.meets(request):
                    failure.times -= 1
                    return failure.response
        return None

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
        self._server.hang_up()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # server_close joins them

    def __init__(self, owner: LoopbackServer, port: int, tls: tuple[Path, Path] | None) -> None:
        self.owner = owner
        self._open: set[Any] = set()
        self._tls: ssl.SSLContext | None = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(*tls)
        self.reset: set[Any] = set()
        """Connections that end as with a peer that died: by RST, without a word before."""
        super().__init__(("127.0.0.1", port), owner.handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self._tls:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                raise
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        if request not in self.reset:
            super().shutdown_request(request)
            return
        self.reset.discard(request)
        with contextlib.suppress(OSError):
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_request(request)

    def hang_up(self) -> None:
        """End the connections that clients keep alive, so that their threads end."""
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        # A client may hang up at any point; that is its right, and no news.
        with contextlib.suppress(ConnectionError):
            super().handle()

    def _answer(self) -> None:
        request, owner = self._request(), self.server.owner
        headers = self.headers
        authorized = "Authorization" in headers
        host, asked = headers.get("Host", ""), headers.get("Range", "")
        seen = Seen(self.command, self.path, host, asked, authorized)
        canary.arrived(headers)
        owner.requests.append(seen)
        self._send(owner.failure(request) or owner.answer(request), seen)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = _answer

    def _request(self) -> Request:
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))
        path = urllib.parse.unquote(parts.path)
        request = Request(self.command, self.path, path, query, self.headers, b"")
        return replace(request, body=self._body(request))

    def _body(self, request: Request) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            return b"".join(iter(self._chunk, b""))
        length = int(self.headers.get("Content-Length") or 0)
        return self.server.owner.body(request, self.rfile, length)

    def _chunk(self) -> bytes:
        chunk = self.rfile.read(int(self.rfile.readline(), 16))
        self.rfile.readline()
        return chunk

    def _send(self, response: Response, seen: Seen) -> None:
        seen.status = response.status
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(response.end - response.start))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(response, seen)

    def _send_body(self, response: Response, seen: Seen) -> None:
        stop = response.end
        if response.cut_after is not None:
            stop = min(stop, response.start + response.cut_after)
            self.close_connection = True
        for block in response.content.blocks(response.start, stop):
            seen.sent += len(block)  # first: whoever has the bytes may look at once
            self.wfile.write(block)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: `requests` says what was asked."""


LoopbackServer.handler = _Handler
