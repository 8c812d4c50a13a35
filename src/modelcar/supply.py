"""Where a file's bytes come from: the work folder where they lie, else straight from the Hub."""

import fcntl
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelcar import journal
from modelcar.checksums import blocks
from modelcar.errors import SourceError, VerificationError
from modelcar.stamps import CheckedFiles, Stamp, Sums
from modelcar.values import ModelSource, SourceFile
from modelcar.workfolder import WorkFolder

if TYPE_CHECKING:
    from modelcar.hub import Hub

_KEPT: Final = 7 * 24 * 3600.0
"""Seconds that half a file is kept for a run that goes on with it."""
log = logging.getLogger(__name__)


class Supply:
    """Gives the bytes of one snapshot's files from any offset.

    `source` is pinned to its commit. With `keep`, what comes from the Hub is written into the work
    folder on its way, so that another process goes on within the file. Without a `hub`, all files
    must lie there.
    """

    def __init__(
        self, source: ModelSource, work: WorkFolder, hub: "Hub | None" = None, keep: bool = False
    ) -> None:
        self.folder = work.snapshot(source)
        self.fetched = 0
        """Bytes that came from the Hub so far."""
        self._source, self._work, self._hub, self._keep = source, work, hub, keep
        self._known: CheckedFiles = work.checked_files()
        self._stamps: dict[str, Stamp] = {}
        self._parts: dict[str, Path] = {}
        self._distrusted: set[str] = set()
        self._lock = threading.Lock()

    def read(self, file: SourceFile, start: int) -> Iterator[bytes]:
        """Yield the file's bytes from `start` on; raise SourceError when they cannot be had."""
        path = self.folder / file.path
        with _explained(path):
            if self._lies_here(file, path):
                self._stamps.setdefault(file.path, Stamp.of(path))
                return blocks(path, start)
        if self._hub is None:
            remedy = "run `modelcar download` into the same work folder first"
            raise VerificationError(file.path, f"it is not at {path}", remedy)
        if self._keep:
            return self._kept(self._hub, file, start)
        return self._counted(self._hub, file, start)

    def done(self, file: SourceFile, sums: Sums) -> None:
        """Take note that the file was read and found right; a kept one gets its place."""
        path = self.folder / file.path
        if part := self._parts.pop(file.path, None):
            self._work.inside(path)
            with _explained(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                part.replace(path)
                self._stamps[file.path] = Stamp.of(path)
        if stamp := self._stamps.pop(file.path, None):
            self._known.put(path, stamp, sums)

    def distrust(self, file: SourceFile) -> bool:
        """Take note that the file was wrong; return whether the Hub is worth another try."""
        part = self._parts.pop(file.path, None)
        from_disk = self._stamps.pop(file.path, None) is not None
        with _explained(self.folder):
            if part is not None:
                part.unlink(missing_ok=True)
            if from_disk:
                self.release(file)  # else the next run would read it, and find it wrong, again
        first = file.path not in self._distrusted
        self._distrusted.add(file.path)
        return first and self._hub is not None and self._source.kind == "hf"

    def named(self, file: SourceFile) -> str:
        """Return the file's name with its source, for an error."""
        return f"{file.path} of {self._source.uri}"

    def release(self, file: SourceFile) -> None:
        """Remove the file from the work folder; a folder that is the source stays as it is."""
        if self._source.kind == "hf":
            path = self._work.inside(self.folder / file.path)
            with _explained(self.folder):
                path.unlink(missing_ok=True)

    def _lies_here(self, file: SourceFile, path: Path) -> bool:
        if self._source.kind == "file":
            return True
        sound = file.path not in self._distrusted
        return sound and path.is_file() and path.stat().st_size == file.size

    def _counted(self, hub: "Hub", file: SourceFile, start: int) -> Iterator[bytes]:
        for block in hub.open(self._source, file, start):
            with self._lock:
                self.fetched += len(block)
            yield block

    def _kept(self, hub: "Hub", file: SourceFile, start: int) -> Iterator[bytes]:
        """Yield what another process left of the file, then the rest, which joins it."""
        with self._part(file) as part:
            held = part.tell()
            if start < held:
                path = Path(part.name)
                self._stamps.setdefault(file.path, Stamp.of(path))
                yield from blocks(path, start, held)
            for block in self._counted(hub, file, held):
                _write(part, block)
                held += len(block)
                if held > start:
                    yield block[max(len(block) - (held - start), 0) :]

    @contextmanager
    def _part(self, file: SourceFile) -> Iterator[FileIO]:
        """Open what there is of the file, at its end; it is this process's own while it is open."""
        path = self._parts.get(file.path) or self._work.partial(file)
        folder = path.parent
        with _explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
            part = _locked(path) or _another(folder)
        with _explained(folder), part:
            self._parts[file.path] = Path(part.name)
            yield part


def _write(part: FileIO, block: bytes) -> None:
    """Write all of the block: unbuffered, so that nothing is left to fail when it is closed."""
    rest = memoryview(block)
    while rest:
        rest = rest[part.write(rest) :]


def _another(folder: Path) -> FileIO:
    handle, name = tempfile.mkstemp(dir=folder)
    os.close(handle)
    path = Path(name)
    part = path.open("ab", buffering=0)
    fcntl.flock(part, fcntl.LOCK_EX)
    return part


def _sweep(folder: Path) -> None:
    """Remove what killed runs left and none went on with: the volume is not to fill with it."""
    for left in folder.iterdir():
        with suppress(OSError):
            if _is_old(left.stat()) and (part := _locked(left)):
                with part:
                    if _is_old(os.fstat(part.fileno())):
                        left.unlink()


def _is_old(stat: os.stat_result) -> bool:
    return time.time() - stat.st_mtime > _KEPT


def _locked(path: Path) -> FileIO | None:
    """Open the file to append to it; None when another process does."""
    part = open(path, "ab", buffering=0, opener=journal.no_link)  # noqa: SIM115  Path.open takes none
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.exists() and path.stat().st_ino == os.fstat(part.fileno()).st_ino:
            return part  # else it got its place in the folder just now
    except BlockingIOError:
        pass
    part.close()
    return None


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what, remedy = f"work folder {folder}", "free space there, or check its rights"
        raise SourceError(what, error.strerror or str(error), remedy) from error
