"""A blob's bytes on their way: from any offset, as often as needed, hashed once."""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Final, Self

from modelcar.errors import ImageError
from modelcar.values import Digest

_SMALL: Final = 4 << 20


class Content:
    """The bytes of one blob; `read` gives them from an offset, `size` is their number."""

    def __init__(self, size: int, read: Callable[[int], Iterable[bytes]]) -> None:
        self.size = size
        self.held = False
        """Whether all of it is in memory, so that its digest is had for nothing."""
        self._read = read
        self._sha256, self._hashed = hashlib.sha256(), 0

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return content that is in memory."""
        content = cls(len(data), lambda start: [data[start:]])
        content.held = True
        return content

    def read(self, start: int = 0) -> Generator[bytes]:
        """Yield the bytes from `start` on.

        What was not hashed yet is hashed on the way, also what lies before `start`: an upload
        may go on where another process left it, but its digest is ours to compute.
        """
        at = min(start, self._hashed)
        for block in self._read(at):
            self._sha256.update(memoryview(block)[max(self._hashed - at, 0) :])
            before, at = at, at + len(block)
            self._hashed = max(self._hashed, at)
            if at > start:
                yield block[max(start - before, 0) :]

    @property
    def digest(self) -> Digest:
        """The digest; what was not read yet is read for it."""
        for _ in self.read(self.size) if self._hashed < self.size else ():
            pass
        return Digest(self._sha256.hexdigest())


def whole(blocks: Iterable[bytes], most: int) -> bytes:
    """Return the bytes of a small blob; raise ImageError for more than `most`."""
    data = bytearray()
    for block in blocks:
        data += block
        if len(data) > most:
            why = f"it has more than {most} bytes"
            raise ImageError("reading a config or manifest", why, "name another image")
    return bytes(data)


def brought(content: Content) -> Content:
    """Return content that is small in memory, so that one request less carries it."""
    return Content.of(whole(content.read(), _SMALL)) if content.size <= _SMALL else content


class Cursor:
    """Reads content on from an offset, in portions; `at` is the offset of the next byte."""

    def __init__(self, content: Content, start: int) -> None:
        self.at = start
        self._blocks, self._rest = content.read(start), b""

    def take(self, count: int) -> Iterator[bytes]:
        """Yield the next `count` bytes; raise ImageError when there are fewer."""
        stop = self.at + count
        while self.at < stop:
            block = self._rest or next(self._blocks, None)
            if block is None:  # who waits for the rest would wait for ever
                why = f"it ended at byte {self.at}, before {stop}"
                raise ImageError("reading a layer", why, "run it again")
            piece, self._rest = block[: stop - self.at], block[stop - self.at :]
            self.at += len(piece)
            yield piece

    def close(self) -> None:
        """Let go of what the content is read from; `at` stands nowhere then.

        An error holds on to the frames it came through, and these to an open file or connection.
        """
        self._blocks.close()
        self.at = -1


def skip(blocks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Yield what follows the first `count` bytes of `blocks`."""
    for block in blocks:
        if count < len(block):
            yield block[count:]
        count = max(count - len(block), 0)
