"""Bring the chosen files onto the work folder's disk, verified."""

import logging
from collections.abc import Iterable
from dataclasses import replace

from modelcar.checksums import Check, verify
from modelcar.errors import VerificationError
from modelcar.hub import Hub
from modelcar.parallel import Stop, in_parallel
from modelcar.progress import LogLines, Progress
from modelcar.stamps import CheckedFiles
from modelcar.supply import Supply
from modelcar.values import Plan, Snapshot, SourceFile
from modelcar.workfolder import WorkFolder

log = logging.getLogger(__name__)


def download(
    plan: Plan,
    files: Iterable[SourceFile],
    work: WorkFolder,
    hub: Hub,
    progress: Progress | None = None,
) -> Snapshot:
    """Fetch what is missing of `files` at the plan's commit and verify every one.

    What lies in the folder is never trusted: a file counts once its size and checksum were
    compared with the listing, and one that is wrong is fetched again, once. A file that a killed
    run left half is gone on with. Raises SourceError when a file cannot be had, VerificationError
    when it stays wrong.
    """
    supply = Supply(plan.source.at(plan.commit), work, hub, keep=True)
    task = _Download(supply, work.checked_files(), progress or LogLines())
    from_hub = plan.source.kind != "file"
    verified = in_parallel(task.bring, files, task.stop) if from_hub else files
    return Snapshot(
        source=plan.source,
        commit=plan.commit,
        folder=str(supply.folder),
        files=tuple(verified),  # of a folder they are read once, when their layers are built
        downloaded=supply.fetched,
    )


class _Download:
    def __init__(self, supply: Supply, known: CheckedFiles, progress: Progress) -> None:
        self._supply, self._known, self._progress = supply, known, progress
        self.stop = Stop()

    def bring(self, file: SourceFile) -> SourceFile:
        """Return the file once it lies verified in the work folder."""
        path = self._supply.folder / file.path
        if self._known.matches(file, path):
            return verify(file, path, self._known)
        try:
            return self._fetch(file)
        except VerificationError as error:
            if not self._supply.distrust(file):
                raise
            log.warning("%s; fetching it again", error)
            return self._fetch(file)

    def _fetch(self, file: SourceFile) -> SourceFile:
        check = Check(file, self._supply.named(file))
        with self._progress.transfer(f"download {file.path}", file.size) as advance:
            for block in check.follow(self.stop.follow(self._supply.read(file, 0))):
                advance(len(block))
        self._supply.done(file, check.sums)
        return replace(file, sha256=check.sums.sha256)
