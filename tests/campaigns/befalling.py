"""The faults of a schedule at one peer, as its proxy makes them."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tests.campaigns.schedule import ALL_ALONG, Fault, Peer
from tests.campaigns.streaming_proxy import Broken, Ended, Passage

_UNKNOWN: Final = 1 << 20
"""The bytes that a body of unknown length is taken to have."""
_SMALL_STEP: Final = 2048
_VERIFIED: Final[Mapping[Peer, tuple[str, ...]]] = {
    "hub": ("/resolve/", "/cdn/"),
    "oci_registry": ("/blobs/",),
    "mirror": ("/blobs/",),
}
"""What a checksum covers. All else rests on TLS: of it no bit is changed, it is made no JSON."""


class Befalling:
    """Gives each request of `peer` what the schedule has for it."""

    def __init__(self, peer: Peer, faults: Sequence[Fault], ended: threading.Event) -> None:
        self._peer, self._ended = peer, ended
        self._faults = [f for f in faults if f.peer == peer and f.kind not in ALL_ALONG]
        self._count = 0
        self._lock = threading.Lock()
        self.met = 0
        """How many requests a fault befell."""

    def end(self) -> None:
        """Have nothing befall what is asked from now on."""
        self._faults = []

    def meet(self, method: str, path: str) -> Passage:
        """Count the request, and return what befalls it: the first fault that is due."""
        with self._lock:
            at, self._count = self._count, self._count + 1
            due = (f for f in self._faults if f.at <= at < f.at + f.times)
            fault = next(due, None)
            self.met += fault is not None
        if fault is None:
            return Passage()
        covered = any(part in path for part in _VERIFIED.get(self._peer, ()))
        return _Befallen(fault, covered, self._ended)


class _Befallen(Passage):
    def __init__(self, fault: Fault, covered: bool, ended: threading.Event) -> None:
        self._fault, self._covered, self._ended = fault, covered, ended
        self.passed_on = fault.passed_on and fault.peer != "model_registry"
        if fault.kind == "status":
            self.status, self.headers = fault.status, (("Retry-After", "0"),)
        elif fault.kind == "unauthorized":
            self.status, self.headers = 401, (("WWW-Authenticate", 'Basic realm="here"'),)

    def asking(self, blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
        match self._fault.kind:
            case "status" | "unauthorized":
                yield from self._first(blocks, length)
            case "reset while asking":
                yield from self._first(blocks, length)
                raise Broken
            case "stalled while asking":
                yield from self._first(blocks, length)
                self._ended.wait()
                raise Broken
            case "corrupted" if length and self._covered:
                yield from self._flipped(blocks, length)
            case "slow":
                yield from self._slowly(blocks)
            case _:
                yield from blocks

    def answering(self, blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
        match self._fault.kind:
            case "answer lost":
                raise Broken
            case "reset while answering":
                yield from self._first(blocks, length)
                raise Broken
            case "truncated":
                yield from self._first(blocks, length)
                raise Ended
            case "stalled while answering":
                yield from self._first(blocks, length)
                self._ended.wait()
                raise Broken
            case "corrupted":
                yield from self._damaged(blocks, length)
            case "slow":
                yield from self._slowly(blocks)
            case _:
                yield from blocks

    def announced(self, length: int) -> int:
        if self._fault.kind != "wrong length" or length <= 0:
            return length
        return max(length + (7 if self._fault.passed_on else -7), 0)

    def _stop(self, length: int) -> int:
        return int(self._fault.where * (length if length >= 0 else _UNKNOWN))

    def _first(self, blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
        left = self._stop(length)
        while left > 0 and (block := next(blocks, b"")):
            yield block[:left]
            left -= len(block)

    def _damaged(self, blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
        if self._covered:
            yield from self._flipped(blocks, length)
        else:
            yield from (b"\xff" * len(block) for block in blocks)

    def _flipped(self, blocks: Iterator[bytes], length: int) -> Iterator[bytes]:
        left = min(self._stop(length), length - 1 if length > 0 else 0)
        for block in blocks:
            if 0 <= left < len(block):
                block = block[:left] + bytes([block[left] ^ 1]) + block[left + 1 :]
            left -= len(block)
            yield block

    def _slowly(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            for at in range(0, len(block), _SMALL_STEP):
                yield block[at : at + _SMALL_STEP]
                self._ended.wait(0.0005)
