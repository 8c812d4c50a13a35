"""The folder that a run works in, on the PVC or on this machine, and what it remembers."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from modelcar import journal
from modelcar.checksums import CheckedFiles
from modelcar.values import Digest, ModelSource


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """One work folder; several models and runs may share it."""

    root: Path

    @classmethod
    def default(cls) -> "WorkFolder":
        """Return the folder of `MODELCAR_WORKDIR`, else one below the user's cache."""
        cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        named = os.environ.get("MODELCAR_WORKDIR") or f"{cache}/modelcar"
        return cls(Path(named).expanduser().absolute())

    def snapshot(self, source: ModelSource) -> Path:
        """Return where the model's files lie: the source itself when it is a folder.

        All commits of a repository share one folder, so that a file both have is fetched once.
        """
        if source.kind == "file":
            return Path(source.location)
        return self.root / re.sub(r"/", "--", source.location)

    def checked_files(self) -> CheckedFiles:
        """Return what is known of the files' checksums."""
        return CheckedFiles(self.root / ".modelcar" / "files.jsonl")

    def layers(self) -> "KnownLayers":
        """Return what is known of the layers' digests."""
        return KnownLayers(self.root / ".modelcar" / "layers.jsonl")


class KnownLayers:
    """The digests of the layers that were built in one work folder, by layer key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        rows = (row for row in journal.rows(path) if {"key", "digest"} <= row.keys())
        self._known = {Digest.parse(row["key"]): Digest.parse(row["digest"]) for row in rows}

    def get(self, key: Digest | None) -> Digest | None:
        """Return the digest of the layer that `key` names, None when it was never built here."""
        return self._known.get(key) if key is not None else None

    def put(self, key: Digest, digest: Digest) -> None:
        """Remember the digest; called once its bytes are stored, so that a crash only forgets."""
        if self._known.get(key) != digest:
            self._known[key] = digest
            journal.append(self._path, {"key": str(key), "digest": str(digest)})
