"""A reverse proxy that passes bytes on as they come, so that a fault may befall any of them."""

import http.client
import http.server
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from tests.servers.loopback import LoopbackServer

BLOCK: Final = 32 * 1024
_OWN: Final = frozenset(("connection", "content-length", "transfer-encoding", "keep-alive"))
_SMALL: Final = 64 * 1024
"""A body of so many bytes goes on when it is whole: servers of the tests read it at once."""


class Broken(Exception):
    """The connection to the client is to end here."""


class Ended(Exception):
    """The connection to the client is to end here, in good order."""


class Passage:
    """What becomes of one request and its answer; this one leaves all as it is."""

    status: int = 0
    """The answer in place of the server's, once `where` of the request's body was read."""
    headers: tuple[tuple[str, str], ...] = ()
    passed_on: bool = False
    """Whether the server sees a request that breaks off, or nothing of it."""

    def asking(self, blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield the request's body as it is to go on; raise Broken to end the connection."""
        yield from blocks

    def answering(self, blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
        """Yield the answer's body as it is to go on; raise Broken to end the connection."""
        yield from blocks

    def announced(self, length: int) -> int:
        """Return the length that the answer is said to have."""
        return length


class StreamingProxy(LoopbackServer):
    """Forward to the plain server at `upstream`, as a context manager; `host` leads through here.

    `meet` gives what becomes of each request; `event` is called at each step that could be the
    last one: a request, a block of a body either way, an answer.
    """

    def __init__(
        self,
        upstream: str,
        meet: Callable[[str, str], Passage],
        event: Callable[[], object] = lambda: None,
        port: int = 0,
    ) -> None:
        self.handler = _Handler
        super().__init__(port=port)
        self.upstream, self.meet, self.event = upstream, meet, event
        self.host = self.url.partition("://")[2]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Any

    def handle(self) -> None:
        with suppress(ConnectionError):
            super().handle()

    def _pass(self) -> None:
        owner = self.server.owner
        owner.event()
        passage = owner.meet(self.command, self.path)
        upstream = http.client.HTTPConnection(owner.upstream, timeout=60)
        try:
            self._ask(upstream, passage)
            self._answer(upstream.getresponse(), passage)
        except (Broken, ConnectionError, http.client.HTTPException, TimeoutError):
            self._reset()
        except Ended:
            self.close_connection = True
        except _Instead:
            self._instead(passage)
        finally:
            upstream.close()

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = _pass

    def _ask(self, upstream: http.client.HTTPConnection, passage: Passage) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        blocks = self._chunks() if chunked else self._blocks(length)
        body = self._counted(passage.asking(blocks, length))
        if passage.status:
            for _ in body:
                pass
            raise _Instead
        if not passage.passed_on or (length <= _SMALL and not chunked):
            body = iter([b"".join(body)])
        self._send_on(upstream, body, length, chunked)

    def _send_on(
        self,
        upstream: http.client.HTTPConnection,
        body: Iterator[bytes],
        length: int,
        chunked: bool,
    ) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, text in self.headers.items():
            if name.lower() not in _OWN:
                upstream.putheader(name, text)
        if chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        elif "Content-Length" in self.headers:
            upstream.putheader("Content-Length", str(length))
        upstream.endheaders()
        for block in filter(None, body):
            upstream.send(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
        if chunked:
            upstream.send(b"0\r\n\r\n")

    def _answer(self, answer: http.client.HTTPResponse, passage: Passage) -> None:
        self.server.owner.event()
        said = answer.headers.get("Content-Length")
        length = int(said) if said is not None else -1
        self.send_response(answer.status)
        for name, text in answer.headers.items():
            if name.lower() not in (*_OWN, "date", "server"):
                self.send_header(name, text)
        empty = self.command == "HEAD" or answer.status in (204, 304)
        if length >= 0:
            self.send_header("Content-Length", str(passage.announced(length)))
        elif not empty:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if not empty:
            self._pass_back(answer, passage, length)

    def _pass_back(self, answer: http.client.HTTPResponse, passage: Passage, length: int) -> None:
        self.close_connection |= passage.announced(length) != length
        blocks = iter(lambda: answer.read1(BLOCK), b"")
        for block in self._counted(passage.answering(blocks, length)):
            self.wfile.write(block if length >= 0 else b"%x\r\n%s\r\n" % (len(block), block))
        if length < 0:
            self.wfile.write(b"0\r\n\r\n")

    def _counted(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            self.server.owner.event()
            yield block

    def _blocks(self, length: int) -> Iterator[bytes]:
        while length:
            block = self.rfile.read1(min(length, BLOCK))
            if not block:
                raise Broken
            length -= len(block)
            yield block

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline() or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _instead(self, passage: Passage) -> None:
        self.close_connection = True
        body = b"refused\n"
        self.send_response(passage.status)
        for name, text in (*passage.headers, ("Content-Length", str(len(body)))):
            self.send_header(name, text)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        self.server.reset.add(self.connection)

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


class _Instead(Exception):
    """The passage's own answer is given in place of the server's."""
