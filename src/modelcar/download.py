"""Bring the chosen files onto the work folder's disk, verified."""

import logging
from collections.abc import Sequence
from pathlib import Path

from modelcar.checksums import CheckedFiles, verify
from modelcar.errors import SourceError, VerificationError
from modelcar.hub import Hub
from modelcar.parallel import in_parallel
from modelcar.progress import LogLines, Progress
from modelcar.values import ModelSource, Plan, Snapshot, SourceFile
from modelcar.workfolder import WorkFolder

log = logging.getLogger(__name__)


def download(
    plan: Plan,
    files: Sequence[SourceFile],
    work: WorkFolder,
    hub: Hub,
    progress: Progress | None = None,
) -> Snapshot:
    """Fetch what is missing of `files` at the plan's commit and verify every one.

    What lies in the folder is never trusted: a file counts once its size and checksum were
    compared with the listing, and one that is wrong is fetched again, once. Raises SourceError
    when a file cannot be had, VerificationError when it stays wrong.
    """
    task = _Download(plan.source.at(plan.commit), work, hub, progress or LogLines())
    done = in_parallel(task.bring, files)
    return Snapshot(
        source=plan.source,
        commit=plan.commit,
        folder=str(task.folder),
        files=tuple(file for file, _ in done),
        downloaded=sum(fetched for _, fetched in done),
    )


class _Download:
    def __init__(self, source: ModelSource, work: WorkFolder, hub: Hub, progress: Progress) -> None:
        self.folder = work.snapshot(source)
        self._source, self._hub, self._progress = source, hub, progress
        self._known: CheckedFiles = work.checked_files()

    def bring(self, file: SourceFile) -> tuple[SourceFile, int]:
        """Return the verified file and the bytes that were fetched for it."""
        if self._source.kind == "file":
            return file, 0  # its own folder: read once, when its layer is built
        path = self.folder / file.path
        if (present := self._present(file, path)) is not None:
            return present, 0
        self._fetch(file)
        return verify(file, path, self._known), file.size

    def _present(self, file: SourceFile, path: Path) -> SourceFile | None:
        if not path.is_file() or path.stat().st_size != file.size:
            return None
        try:
            return verify(file, path, self._known)
        except VerificationError as error:
            log.warning("%s; fetching it again", error)
            return None

    def _fetch(self, file: SourceFile) -> None:
        # What lies at `path` is replaced, never removed: another run may be reading it.
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            what, remedy = f"work folder {self.folder}", "check its rights, or name another"
            raise SourceError(what, error.strerror or str(error), remedy) from error
        with self._progress.transfer(f"download {file.path}", file.size) as advance:
            self._hub.fetch(self._source, file, self.folder, advance)
