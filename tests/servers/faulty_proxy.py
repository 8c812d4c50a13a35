"""A reverse proxy before an OCI registry, with the faults that networks and gateways have."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BufferedIOBase
from types import TracebackType
from typing import Literal

from tests.servers.loopback import Bytes, Request, Response
from tests.servers.reverse_proxy import ReverseProxy
from tests.servers.upload_sessions import closing

Span = Literal["body", "upload", "connection"]
"""What bytes are counted over: one request's body, one upload's, or one connection's."""


class Gate:
    """Where a request waits: `reached` is set when it is there, `release` lets it go on."""

    def __init__(self) -> None:
        self.reached, self._released = threading.Event(), threading.Event()

    def release(self) -> None:
        self._released.set()

    def wait(self) -> None:
        self.reached.set()
        self._released.wait()


@dataclass(frozen=True, slots=True)
class _Fault:
    """What befalls a body after `after` bytes: `answer`, or else the end, unless it `goes_on`."""

    method: str
    after: int
    span: Span = "body"
    answer: Response | None = None
    goes_on: bool = False
    passed_on: bool = False
    then: Callable[[], object] | None = None
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of the answer to a `method` whose path has `part`.

    One answer meets one change of each `kind`.
    """

    kind: str
    method: str
    part: str
    make: Callable[[Response], Response]

    def meets(self, request: Request) -> bool:
        return self.method == request.method and self.part in request.path


class FaultyProxy(ReverseProxy):
    """Forwards to the server at `upstream`, apart from the faults that are asked for.

    Each fault comes once, or `times` times; those of one method come in the order in which they
    were asked for. Those of bodies want a Content-Length; `of` says what bytes are counted over.
    """

    def __init__(
        self,
        upstream: str,
        *,
        resumable: bool = False,
        patch: bool = True,
        limit: int | None = None,
    ) -> None:
        super().__init__(upstream, resumable=resumable, patch=patch, limit=limit)
        self._faults: list[_Fault] = []
        self._changes: list[_Change] = []
        self._gates = [Gate()]
        self.held = self._gates[0].reached

    def drop(
        self,
        method: str,
        after: int,
        *,
        times: int = 1,
        of: Span = "body",
        hold: bool = False,
        passed_on: bool = False,
        then: Callable[[], object] | None = None,
    ) -> None:
        """Hang up after `after` bytes of the next `times` bodies of `method`, and call `then`.

        With `hold`, only when the proxy ends: `held` is set as soon as it has those bytes. The
        OCI registry gets none of them, unless the proxy is `resumable`: then it keeps those of a
        PATCH; or they are `passed_on`: then it sees the request break off.
        """
        gate = self._gates[0] if hold else None
        self._faults += [_Fault(method, after, of, None, False, passed_on, then, gate)] * times

    def refuse(
        self,
        method: str,
        status: int,
        after: int = 0,
        *,
        times: int = 1,
        of: Span = "body",
        headers: Mapping[str, str] | None = None,
        then: Callable[[], object] | None = None,
    ) -> None:
        """Answer the next `method` with `status` after `after` bytes of its body, and hang up.

        So does a gateway that finds a body too large or a token too old. A `resumable` proxy
        keeps those bytes of a PATCH.
        """
        answer = closing(Response(status, headers or {}, Bytes(b"refused")))
        self._faults += [_Fault(method, after, of, answer, then=then)] * times

    def stall(self, method: str, after: int, *, of: Span = "body") -> Gate:
        """Read no more than `after` bytes of the next body of `method` until the gate opens."""
        gate = self._gate()
        self._faults.append(_Fault(method, after, of, goes_on=True, gate=gate))
        return gate

    def stall_answer(self, method: str, *, part: str = "") -> Gate:
        """Forward the next `method` whose path has `part`; its answer waits at the gate."""
        gate = self._gate()

        def waited(response: Response) -> Response:
            gate.wait()
            return response

        self._changes.append(_Change("stall", method, part, waited))
        return gate

    def lose(
        self, method: str, *, part: str = "", after: int | None = None, times: int = 1
    ) -> None:
        """Forward the next `method` whose path has `part`, and hang up without an answer.

        With `after`, only after so many bytes of the answer's body.
        """

        def lost(response: Response) -> Response:
            if after is None:
                raise ConnectionResetError("the answer is lost")
            return replace(response, cut_after=after)

        self._changes += [_Change("lose", method, part, lost)] * times

    def reword(
        self, method: str, header: str, text: str | None, *, part: str = "", times: int = 1
    ) -> None:
        """Give the answer to the next `method` whose path has `part` a header; None takes it."""

        def reworded(response: Response) -> Response:
            others = {name: response.headers[name] for name in response.headers if name != header}
            told = {} if text is None else {header: text}
            return replace(response, headers=others | told)

        self._changes += [_Change(header, method, part, reworded)] * times

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for gate in self._gates:
            gate.release()
        super().__exit__(kind, error, trace)

    def rest(
        self, request: Request, stream: BufferedIOBase, length: int, part: bytes = b""
    ) -> bytes:
        fault, stop = self._due(request, length)
        if fault is None:
            return super().rest(request, stream, length, part)
        part = self.read(request, stream, stop)
        if len(part) == stop and self._befalls(fault, request, part, length):
            self.connection.refusal = fault.answer
            return b""
        return super().rest(request, stream, length, part)

    def answer(self, request: Request) -> Response:
        response = super().answer(request)
        for change in self._changes_due(request):
            response = change.make(response)
        return response

    def _gate(self) -> Gate:
        self._gates.append(Gate())
        return self._gates[-1]

    def _due(self, request: Request, length: int) -> tuple[_Fault | None, int]:
        """Take the fault that this body meets; return how many of its bytes come before."""
        counted = {
            "body": 0,
            "upload": self.received(request.path),
            "connection": self.connection.received,
        }
        with self._lock:
            for fault in self._faults:
                stop = max(fault.after - counted[fault.span], 0)
                empty = not length and fault.answer is None
                if fault.method == request.method and stop <= length and not empty:
                    self._faults.remove(fault)
                    return fault, stop
        return None, 0

    def _befalls(self, fault: _Fault, request: Request, part: bytes, length: int) -> bool:
        """Let the fault happen, and return whether it ends the request with an answer."""
        if not fault.goes_on:
            self.break_off(request, part, length, passed_on=fault.passed_on)
        if fault.then is not None:
            fault.then()
        if fault.gate is not None:
            fault.gate.wait()
        if fault.answer is None and not fault.goes_on:
            raise ConnectionResetError(f"dropped after {len(part)} bytes")
        return not fault.goes_on

    def _changes_due(self, request: Request) -> list[_Change]:
        due: dict[str, _Change] = {}
        with self._lock:
            for change in self._changes:
                if change.meets(request):
                    due.setdefault(change.kind, change)
            for change in due.values():
                self._changes.remove(change)
        return list(due.values())
