"""Compare bytes with what the source says they are: sha256, git's blob id, and the size."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from modelcar.errors import SourceError, VerificationError
from modelcar.safetensors import HeaderReader
from modelcar.stamps import CheckedFiles, Stamp, Sums
from modelcar.values import Digest, SourceFile

BLOCK = 1 << 20
"""Bytes: few enough for memory, so many that little time goes into passing them on."""


def blocks(path: Path, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
    """Yield the file's bytes from `start` to `stop`; raise SourceError when the disk refuses."""
    try:
        with path.open("rb", buffering=0) as stream:
            stream.seek(start)
            while block := stream.read(BLOCK if stop is None else min(BLOCK, stop - start)):
                start += len(block)
                yield block
    except OSError as error:
        raise SourceError(f"reading {path}", str(error), "check its rights and the disk") from error


class Check:
    """Computes the sums of one file on its way, each byte once though it may be read again.

    Git hashes a file as `blob SIZE NUL content` (git-hash-object).
    """

    def __init__(self, file: SourceFile, name: str = "") -> None:
        """`name` is what errors call the file, else its path."""
        self._file, self._seen, self._name = file, 0, name or file.path
        self._sha256 = hashlib.sha256()
        head = b"blob %d\0" % file.size
        self._git = hashlib.sha1(head, usedforsecurity=False) if file.blob_id else None
        named = file.path.lower().endswith(".safetensors")
        self._header = HeaderReader(self._name, file.size) if named else None

    def follow(self, content: Iterable[bytes], start: int = 0) -> Iterator[bytes]:
        """Yield `content`, the file's bytes from `start` on, unchanged.

        Raises VerificationError as soon as a safetensors header is wrong or there are more bytes
        than the listing says, else at the end.
        """
        for block in content:
            fresh = memoryview(block)[max(self._seen - start, 0) :]
            start += len(block)
            if start > self._file.size:
                self._seen = start
                break
            if fresh:
                self._take(fresh)
            yield block
        _compare(self._file, self._seen, self.sums, self._name)
        if self._header:
            self._header.finish()

    def _take(self, fresh: memoryview) -> None:
        if self._header:
            self._header.update(fresh)
        self._sha256.update(fresh)
        if self._git is not None:
            self._git.update(fresh)
        self._seen += len(fresh)

    @property
    def sums(self) -> Sums:
        """The sums of what went by so far."""
        blob_id = self._git.hexdigest() if self._git is not None else None
        return Sums(Digest(self._sha256.hexdigest()), blob_id)

    @property
    def tensors(self) -> Mapping[str, int]:
        """The elements of a safetensors file by dtype; nothing for another file."""
        return self._header.tensors if self._header else {}


def verify(file: SourceFile, path: Path, known: CheckedFiles) -> SourceFile:
    """Return `file` with its sha256 once the bytes at `path` are known to be what it says.

    An untouched file that was verified before is not read again. Raises VerificationError.
    """
    if not path.is_file():
        raise VerificationError(f"{file.path}", f"it is not at {path}", "run the download again")
    if not known.matches(file, path):
        stamp, check = Stamp.of(path), Check(file)
        for _ in check.follow(blocks(path)):
            pass
        known.put(path, stamp, check.sums)
    sums = known.get(path)
    if sums is None:
        remedy = "leave the work folder alone while a run uses it"
        raise VerificationError(file.path, f"{path} changed while it was read", remedy)
    return replace(file, sha256=sums.sha256)


def hold(file: SourceFile, data: bytes, name: str) -> None:
    """Raise VerificationError where `data` is not the whole of `file`, which errors call `name`."""
    git = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    git.update(data)
    sums = Sums(Digest(hashlib.sha256(data).hexdigest()), git.hexdigest())
    _compare(file, len(data), sums, name)


def _compare(file: SourceFile, seen: int, sums: Sums, name: str) -> None:
    remedy = "it was changed or damaged on its way: download again, or ask who serves it"
    if seen != file.size:
        many = "more than" if seen > file.size else f"only {seen} of"
        raise VerificationError(name, f"it has {many} the {file.size} bytes listed", remedy)
    if file.sha256 is not None and sums.sha256 != file.sha256:
        why = f"its sha256 is {sums.sha256}, not {file.sha256}"
        raise VerificationError(name, why, remedy)
    if file.blob_id is not None and sums.blob_id != file.blob_id:
        why = f"its git blob id is {sums.blob_id}, not {file.blob_id}"
        raise VerificationError(name, why, remedy)
