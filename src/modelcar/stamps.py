"""Which files of a work folder were checked before, told by their stamps without reading them."""

from dataclasses import dataclass
from pathlib import Path

from modelcar import journal
from modelcar.values import Digest, SourceFile


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
        rows = (row for row in journal.rows(path) if Digest.read(row.get("sha256")))
        self._known = {str(row.get("path")): row for row in rows}

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
