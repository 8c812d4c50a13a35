"""What was pushed from one work folder, and when: a manifest itself holds no clock."""

from pathlib import Path
from typing import Self

from modelcar import journal
from modelcar.records import FAR
from modelcar.values import Digest
from modelcar.workfolder import WorkFolder


class PushedImages:
    """The images that are known to have been pushed, by where they stand and their digest."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._at: dict[tuple[str, Digest], float] = {}
        self._anywhere: dict[Digest, float] = {}
        self._digests: dict[str, set[Digest]] = {}
        for row in journal.rows(path):
            if digest := Digest.read(row.get("digest")):
                self._take(str(row.get("location")), digest, row.get("at"))

    @classmethod
    def of(cls, work: WorkFolder) -> Self:
        """Return what the work folder knows."""
        return cls(work.own("images.jsonl"))

    def put(self, location: str, tag: str, digest: Digest, at: float) -> None:
        """Remember a push at `at`, in seconds since the epoch; the latest of a digest counts."""
        self._append(location, digest, {"tag": tag, "at": at})

    def leave(self, location: str, digest: Digest) -> None:
        """Remember an image that no tag will name soon, so that it can still be found."""
        if digest not in self.digests(location):
            self._append(location, digest, {})

    def when(self, location: str, digest: Digest) -> float | None:
        """Return when it was pushed there, else anywhere: a mirror holds the same digest."""
        return self._at.get((location, digest), self._anywhere.get(digest))

    def digests(self, location: str) -> frozenset[Digest]:
        """Return all that was ever pushed there, also what no tag names any more."""
        return frozenset(self._digests.get(location, ()))

    def _append(self, location: str, digest: Digest, more: dict[str, str | float]) -> None:
        row = {"location": location, "digest": str(digest), **more}
        journal.append(self._path, row)
        self._take(location, digest, row.get("at"))

    def _take(self, location: str, digest: Digest, at: object) -> None:
        self._digests.setdefault(location, set()).add(digest)
        if isinstance(at, int | float) and 0 <= at < FAR:
            self._at[location, digest] = self._anywhere[digest] = float(at)
