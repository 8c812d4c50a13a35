"""A reverse proxy before an OCI registry, with the faults that networks and gateways have."""

import threading
from collections.abc import Iterable
from io import BufferedIOBase
from types import TracebackType

import urllib3

from tests.servers.hub_repository import Zeros
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response

_OWN = {"connection", "content-length", "date", "server", "transfer-encoding"}


class FaultyProxy(LoopbackServer):
    """Forwards to the plain server at `upstream`, apart from what `fail` and `drop` ask for.

    References that begin with its `host` go through it.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__()
        self.host = self.url.partition("://")[2]
        self.held = threading.Event()
        self._upstream = f"http://{upstream}"
        self._pool = urllib3.PoolManager(retries=False)
        self._drops: list[tuple[str, int, bool]] = []
        self._released = threading.Event()

    def drop(self, method: str, after: int, *, times: int = 1, hold: bool = False) -> None:
        """Hang up after `after` bytes of the next `times` bodies of `method`.

        With `hold`, only when the proxy ends: `held` is set as soon as it has those bytes.
        """
        self._drops += [(method, after, hold)] * times

    def refuse(self, method: str, status: int) -> None:
        """Answer the next `method` with `status` before its body is read, and hang up.

        So does a gateway that finds a body too large.
        """
        self._drops.append((method, -1, False))
        self.fail("", status, method=method, headers={"Connection": "close"})

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._released.set()
        super().__exit__(kind, error, trace)
        self._pool.clear()

    def body(self, method: str, stream: BufferedIOBase, length: int) -> bytes:
        due = next((drop for drop in self._drops if drop[0] == method and length), None)
        if due is None:
            return super().body(method, stream, length)
        self._drops.remove(due)
        _, after, hold = due
        if after < 0:
            return b""
        stream.read(after)
        if hold:
            self.held.set()
            self._released.wait()
        raise ConnectionResetError(f"dropped after {after} bytes")

    def answer(self, request: Request) -> Response:
        answer = self._pool.request(
            request.method,
            f"{self._upstream}{request.target}",
            headers=_passed_on(request.headers.items()),
            body=request.body or None,
            redirect=False,
        )
        length = int(answer.headers.get("Content-Length", "0"))
        content = Zeros(length) if request.method == "HEAD" else Bytes(answer.data)
        return Response(answer.status, _passed_on(answer.headers.items()), content)


def _passed_on(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name: text for name, text in headers if name.lower() not in _OWN}
