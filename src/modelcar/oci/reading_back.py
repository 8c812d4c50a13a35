"""Compare a layer's bytes with the files that it should be made of, without either on disk."""

from collections.abc import Iterable, Iterator, Sequence

from modelcar.checksums import Check
from modelcar.errors import VerificationError
from modelcar.oci import layer
from modelcar.values import SourceFile


def matches(files: Sequence[SourceFile], blocks: Iterable[bytes]) -> bool:
    """Return whether `blocks` are the tar that `layer.stream` gives for `files`.

    A file's bytes are held against its checksum; without one the answer is no. Nothing is read
    beyond the first difference that shows: in a file, its end.
    """
    if layer.key(files) is None:
        return False
    rest = _Rest(blocks)
    try:
        same = all(_same(piece, rest) for piece in layer.pieces(files))
    except VerificationError:
        return False
    return same and not any(rest.take(1))


def _same(piece: bytes | SourceFile, rest: "_Rest") -> bool:
    if isinstance(piece, bytes):
        return b"".join(rest.take(len(piece))) == piece
    for _ in Check(piece).follow(rest.take(piece.size)):
        pass
    return True


class _Rest:
    """What was not taken yet of a layer's blocks."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks, self._block = iter(blocks), memoryview(b"")

    def take(self, count: int) -> Iterator[bytes]:
        """Yield the next `count` bytes, fewer where the blocks end."""
        while count and self._filled():
            piece, self._block = self._block[:count], self._block[count:]
            count -= len(piece)
            yield bytes(piece)

    def _filled(self) -> bool:
        while not self._block and (block := next(self._blocks, None)) is not None:
            self._block = memoryview(block)
        return bool(self._block)
