"""Blobs put straight into docker-registry's storage: sparse files, under digests that are made up.

The layout is that of its `registry/storage/paths.go`.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from modelcar.values import Digest


def place(storage: Path, repositories: Iterable[str], digest: Digest, size: int) -> None:
    """Let the repositories of the server that stores at `storage` hold a blob of `size` bytes."""
    root = storage / "docker/registry/v2"
    data = root / "blobs/sha256" / digest.hex[:2] / digest.hex / "data"
    data.parent.mkdir(parents=True, exist_ok=True)
    with data.open("wb") as stream:
        stream.truncate(size)
    for repository in repositories:
        link = root / "repositories" / repository / "_layers/sha256" / digest.hex / "link"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.write_text(str(digest), encoding="utf-8")


def made_up(path: str) -> Digest:
    """Return a digest for the layer of `path`, the same each time."""
    return Digest(hashlib.sha256(f"layer of {path}".encode()).hexdigest())
