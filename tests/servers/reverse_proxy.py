"""A reverse proxy before an OCI registry that counts, and can play a registry of other habits."""

import http.client
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from io import BufferedIOBase
from socket import SHUT_WR
from types import TracebackType
from urllib.parse import urlsplit

import urllib3

from tests.servers.hub_repository import Zeros
from tests.servers.loopback import BLOCK, Bytes, LoopbackServer, Request, Response
from tests.servers.upload_sessions import UploadSessions, refused, unknown

_OWN = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Connection(threading.local):
    """What concerns one connection: each has a thread of its own."""

    received = 0
    refusal: Response | None = None
    """The answer to the request at hand when its body is not to be read to its end."""


class ReverseProxy(LoopbackServer):
    """Forwards to the plain server at `upstream`; references that begin with `host` go through.

    `resumable` makes uploads outlive a broken connection; without `patch`, every PATCH is
    answered with 405; a body of more than `limit` bytes with 413.
    """

    def __init__(
        self,
        upstream: str,
        *,
        resumable: bool = False,
        patch: bool = True,
        limit: int | None = None,
    ) -> None:
        super().__init__()
        self.host = self.url.partition("://")[2]
        self.connection = Connection()
        self._upstream, self._patch, self._limit = upstream, patch, limit
        self._pool = urllib3.PoolManager(retries=False, maxsize=16)
        self._sessions = UploadSessions(self._forward) if resumable else None
        self._uploads: set[str] = set()
        self._forgotten: set[str] = set()
        self._received: Counter[str] = Counter()

    def forget(self) -> None:
        """Answer 404 for every upload that was opened until now."""
        self._forgotten |= self._uploads

    def received(self, name: str) -> int:
        """Return how many bytes came in bodies of a method, or for one path.

        Those of requests that broke off are among them; those sent in chunks are not.
        """
        return self._received[name]

    @property
    def blob_bytes_sent(self) -> int:
        """How many bytes of blobs clients were sent."""
        gets = [seen for seen in self.requests if seen.method == "GET"]
        return sum(seen.sent for seen in gets if "/blobs/sha256:" in seen.target)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._pool.clear()

    def body(self, request: Request, stream: BufferedIOBase, length: int) -> bytes:
        self.connection.refusal = self._refusal(request, length)
        return b"" if self.connection.refusal else self.rest(request, stream, length)

    def rest(
        self, request: Request, stream: BufferedIOBase, length: int, part: bytes = b""
    ) -> bytes:
        """Read the body of which `part` has come; pass on what there is when the client ends."""
        body = part + self.read(request, stream, length - len(part))
        if len(body) < length:
            self.break_off(request, body, length, passed_on=True)
            raise ConnectionResetError("the client hung up")
        return body

    def read(self, request: Request, stream: BufferedIOBase, count: int) -> bytes:
        """Read `count` bytes of a body, fewer when the client hangs up, and count them."""
        blocks, left = [], count
        with suppress(ConnectionError):
            while left and (block := stream.read1(min(left, BLOCK))):
                blocks.append(block)
                left -= len(block)
                self._count(request, len(block))
        return b"".join(blocks)

    def break_off(self, request: Request, part: bytes, length: int, *, passed_on: bool) -> None:
        """Keep the `part` of a body that came, or have the upstream see it break off too."""
        if self._sessions is not None:
            self._sessions.keep(request, part)
        elif passed_on:
            self._broken(request, part, length)

    def failure(self, request: Request) -> Response | None:
        return self.connection.refusal or super().failure(request)

    def answer(self, request: Request) -> Response:
        response = self._sessions.take(request) if self._sessions else self._forward(request)
        if request.method == "POST" and response.status == 202:
            self._uploads.add(urlsplit(response.headers["Location"]).path)
        return response

    def _refusal(self, request: Request, length: int) -> Response | None:
        if request.path in self._forgotten:
            return unknown()
        if request.method == "PATCH" and not self._patch:
            return refused(405, "UNSUPPORTED", "the operation is unsupported")
        if self._limit is not None and length > self._limit:
            return refused(413, "SIZE_INVALID", "the body is too large")
        return self._sessions.refusal(request) if self._sessions else None

    def _count(self, request: Request, count: int) -> None:
        with self._lock:
            self._received[request.method] += count
            self._received[request.path] += count
            self.connection.received += count

    def _forward(self, request: Request) -> Response:
        answer = self._pool.request(
            request.method,
            f"http://{self._upstream}{request.target}",
            headers=_passed_on(request.headers.items()),
            body=request.body or None,
            redirect=False,
        )
        length = int(answer.headers.get("Content-Length", "0"))
        content = Zeros(length) if request.method == "HEAD" else Bytes(answer.data)
        return Response(answer.status, _passed_on(answer.headers.items()), content)

    def _broken(self, request: Request, part: bytes, length: int) -> None:
        """Send `part` of a body of `length`, end there, and wait until the upstream is done."""
        with closing(http.client.HTTPConnection(self._upstream)) as connection:
            headers = _passed_on(request.headers.items()) | {"Content-Length": str(length)}
            connection.request(request.method, request.target, part, headers)
            connection.sock.shutdown(SHUT_WR)
            with suppress(ConnectionError, http.client.HTTPException):
                connection.getresponse().read()


def _passed_on(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: text for name, text in headers if name.lower() not in _OWN}
