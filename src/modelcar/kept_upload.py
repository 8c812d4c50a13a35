"""Where an upload has come to, for the process that goes on with it."""

import fcntl
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from modelcar import journal
from modelcar.values import Digest
from modelcar.workfolder import WorkFolder

log = logging.getLogger(__name__)


class KeptUpload:
    """The address of an upload that has begun, for the process that goes on with it.

    One process has it at a time; another works without. So does who cannot write it: keeping is a
    convenience.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._mine = True

    @classmethod
    def of(cls, work: WorkFolder, location: str, key: Digest) -> Self:
        """Return what the work folder knows of an upload of the layer `key` to `location`."""
        name = hashlib.sha256(f"{location} {key}".encode()).hexdigest()
        return cls(work.own("uploads", name))

    def get(self) -> str:
        """Return the address, nothing when there is none, or when another process has it."""
        with self._lenient():
            if self._path.exists() and (file := self._opened()):
                file.seek(0)
                return file.read()
        return ""

    def put(self, url: str) -> None:
        """Keep the address; an empty one ends it."""
        with self._lenient():
            if url and (file := self._opened()):
                file.truncate(0)
                file.write(url)
                file.flush()
            elif self._file is not None:
                self._path.unlink(missing_ok=True)
                self.close()

    def close(self) -> None:
        """Leave what is kept to the next process."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> IO[str] | None:
        if self._file is None and self._mine:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(  # noqa: SIM115  closed by `close`; Path.open takes no opener
                self._path, "a+", encoding="utf-8", errors="replace", opener=journal.no_link
            )
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return self._file

    @contextmanager
    def _lenient(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            log.info("an upload is not kept for a later run: %s", error)
            self._mine = False
            self.close()
