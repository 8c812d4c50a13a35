"""The folder that a run works in, on the PVC or on this machine, and what it remembers."""

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from modelcar import atomic, journal
from modelcar.checksums import CheckedFiles
from modelcar.errors import SourceError
from modelcar.values import Digest, ModelSource, Plan, from_json, to_json


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

    def save(self, plan: Plan) -> Digest:
        """Keep `plan` beside the files and return its sha256, under which `load` finds it."""
        text = json.dumps(to_json(plan), sort_keys=True)
        digest = Digest(hashlib.sha256(text.encode()).hexdigest())
        path = self._plan(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, text)
        return digest

    def load(self, digest: Digest) -> Plan:
        """Return the plan of that sha256; raise SourceError when it is not there whole."""
        path = self._plan(digest)
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != digest.hex:
            remedy = "run download again on this work folder"
            raise SourceError(f"plan {digest.short}", f"{path} does not hold it", remedy)
        return cast(Plan, from_json(Plan, json.loads(content)))

    def _plan(self, digest: Digest) -> Path:
        return self.root / ".modelcar" / "plans" / f"{digest.hex}.json"

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
