"""The folder that a run works in, on the PVC or on this machine, and what it remembers."""

import hashlib
import json
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from modelcar import atomic, journal
from modelcar.errors import SourceError
from modelcar.stamps import CheckedFiles
from modelcar.values import (
    Digest,
    KnownLayer,
    ModelSource,
    Plan,
    SourceFile,
    from_json,
    to_json,
)


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

    def inside(self, path: Path) -> Path:
        """Return `path`; raise SourceError where a link on its way leads out of the work folder."""
        try:
            leads_out = not path.parent.resolve().is_relative_to(self.root.resolve())
        except (OSError, RuntimeError):  # in circles
            leads_out = True
        if leads_out:
            why = f"{path.parent} leads out of it"
            raise SourceError(f"work folder {self.root}", why, "remove that link")
        return path

    def own(self, *names: str) -> Path:
        """Return where something lies that the work folder remembers; raise as `inside` does."""
        return self.inside(self.root.joinpath(".modelcar", *names))

    def checked_files(self) -> CheckedFiles:
        """Return what is known of the files' checksums."""
        return CheckedFiles(self.own("files.jsonl"))

    def save(self, plan: Plan) -> Digest:
        """Keep `plan` beside the files and return its sha256, under which `load` finds it."""
        text = json.dumps(to_json(plan), sort_keys=True)
        digest = Digest(hashlib.sha256(text.encode()).hexdigest())
        path = self._plan(digest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink():
                path.unlink()
            atomic.write(path, text)
        except OSError as error:
            why, remedy = error.strerror or str(error), "free space there, or check its rights"
            raise SourceError(f"work folder {self.root}", why, remedy) from error
        return digest

    def load(self, digest: Digest) -> Plan:
        """Return the plan of that sha256; raise SourceError when it is not there whole."""
        path = self._plan(digest)
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() != digest.hex:
            remedy = "run the download again with this work folder"
            raise SourceError(f"plan {digest.short}", f"{path} does not hold it", remedy)
        plan = cast(Plan, from_json(Plan, json.loads(content)))
        # Since it was made, the target may have lost what it held.
        return replace(plan, layers=tuple(replace(item, reused=False) for item in plan.layers))

    def _plan(self, digest: Digest) -> Path:
        return self.own("plans", f"{digest.hex}.json")

    def partial(self, file: SourceFile) -> Path:
        """Return where the file lies while it is not whole: by its checksum and its path."""
        name = hashlib.sha256(f"{file.checksum} {file.path}".encode()).hexdigest()
        return self.own("partial", name)

    def layers(self) -> "KnownLayers":
        """Return what is known of the layers' digests."""
        return KnownLayers(self.own("layers.jsonl"))


class KnownLayers:
    """The layers that were built in one work folder, by layer key."""

    def __init__(self, path: Path) -> None:
        self._path = path
        found = ((Digest.read(row.get("key")), _layer(row)) for row in journal.rows(path))
        self._known = {key: layer for key, layer in found if key and layer}

    def get(self, key: Digest | None) -> KnownLayer | None:
        """Return the layer that `key` names, None when it was never built here."""
        return self._known.get(key) if key is not None else None

    def put(self, key: Digest, layer: KnownLayer) -> None:
        """Remember the layer; called once its bytes are stored, so that a crash only forgets."""
        if self._known.get(key) != layer:
            self._known[key] = layer
            journal.append(self._path, {"key": str(key), **cast(dict[str, Any], to_json(layer))})


def _layer(row: dict[str, Any]) -> KnownLayer | None:
    digest, told = Digest.read(row.get("digest")), row.get("tensors")
    counts = told if isinstance(told, dict) else {}
    sound = all(type(count) is int and 0 <= count < 1 << 63 for count in counts.values())
    return KnownLayer(digest, counts if sound else {}) if digest else None
