"""Compare bytes with what the source says they are: sha256, git's blob id, and the size."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from modelcar import journal
from modelcar.errors import SourceError, VerificationError
from modelcar.values import Digest, SourceFile

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells an untouched file from a changed one without reading it."""

    size: int
    mtime_ns: int
    inode: int

    @property
    def fields(self) -> list[int]:
        """The stamp as a journal holds it."""
        return [self.size, self.mtime_ns, self.inode]

    @classmethod
    def of(cls, path: Path) -> "Stamp":
        """Read the stamp of the file at `path`."""
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino)


@dataclass(frozen=True, slots=True)
class Sums:
    """What was computed over one file; `blob_id` only where the source names one."""

    sha256: Digest
    blob_id: str | None = None


class CheckedFiles:
    """The files of one work folder whose checksums were computed, by stamp."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = {row["path"]: row for row in journal.rows(path) if "path" in row}

    def get(self, file: Path) -> Sums | None:
        """Return what was computed over `file`, if it is untouched since."""
        row = self._known.get(str(file))
        if row is None or not file.is_file() or row.get("stamp") != Stamp.of(file).fields:
            return None
        return Sums(Digest.parse(row["sha256"]), row.get("blob_id"))

    def put(self, file: Path, stamp: Stamp, sums: Sums) -> None:
        """Remember what `file`, as it was at `stamp` before it was read, was computed to be."""
        row = {"path": str(file), "stamp": stamp.fields, "sha256": str(sums.sha256)}
        if sums.blob_id:
            row["blob_id"] = sums.blob_id
        if self._known.get(str(file)) != row:
            self._known[str(file)] = row
            journal.append(self._path, row)

    def matches(self, file: SourceFile, path: Path) -> bool:
        """Return whether the file at `path` is known, without reading, to be `file`."""
        sums = self.get(path)
        if sums is None or path.stat().st_size != file.size:
            return False
        same = file.sha256 is None or sums.sha256 == file.sha256
        return same and (file.blob_id is None or sums.blob_id == file.blob_id)


def blocks(path: Path) -> Iterator[bytes]:
    """Yield the file in blocks of 1 MiB; raise SourceError when the disk refuses."""
    try:
        with path.open("rb", buffering=0) as stream:
            while block := stream.read(BLOCK):
                yield block
    except OSError as error:
        raise SourceError(f"reading {path}", str(error), "check the disk and its rights") from error


def checked(
    file: SourceFile, content: Iterable[bytes], found: Callable[[Sums], None] = lambda _: None
) -> Iterator[bytes]:
    """Yield `content` unchanged and hash it on the way; `found` gets its sums at the end.

    Raises VerificationError as soon as there are more bytes than the listing says, else at the
    end. Git hashes a file as `blob SIZE NUL content` (git-hash-object).
    """
    sha256, seen = hashlib.sha256(), 0
    git = hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False) if file.blob_id else None
    for block in content:
        seen += len(block)
        if seen > file.size:
            break
        sha256.update(block)
        if git is not None:
            git.update(block)
        yield block
    sums = Sums(Digest(sha256.hexdigest()), git.hexdigest() if git is not None else None)
    _compare(file, seen, sums)
    found(sums)


def verify(file: SourceFile, path: Path, known: CheckedFiles) -> SourceFile:
    """Return `file` with its sha256 once the bytes at `path` are known to be what it says.

    An untouched file that was verified before is not read again. Raises VerificationError.
    """
    if not path.is_file():
        raise VerificationError(f"{file.path}", f"it is not at {path}", "run the download again")
    if not known.matches(file, path):
        stamp, computed = Stamp.of(path), list[Sums]()
        for _ in checked(file, blocks(path), computed.append):
            pass
        known.put(path, stamp, computed[0])
    sums = known.get(path)
    if sums is None:
        remedy = "leave the work folder alone while a run uses it"
        raise VerificationError(file.path, f"{path} changed while it was read", remedy)
    return replace(file, sha256=sums.sha256)


def _compare(file: SourceFile, seen: int, sums: Sums) -> None:
    remedy = "the copy is damaged or was changed: remove it and download again"
    if seen != file.size:
        many = "more than" if seen > file.size else f"only {seen} of"
        raise VerificationError(file.path, f"it has {many} the {file.size} bytes listed", remedy)
    if file.sha256 is not None and sums.sha256 != file.sha256:
        why = f"its sha256 is {sums.sha256}, not {file.sha256}"
        raise VerificationError(file.path, why, remedy)
    if file.blob_id is not None and sums.blob_id != file.blob_id:
        why = f"its git blob id is {sums.blob_id}, not {file.blob_id}"
        raise VerificationError(file.path, why, remedy)
