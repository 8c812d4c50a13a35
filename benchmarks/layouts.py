"""The base image as olot wants it: with a history entry for its one layer."""

import hashlib
import json
from pathlib import Path

from tests.servers import busybox_base


def with_history(folder: Path) -> None:
    """Write busybox as an OCI layout whose config has a history; olot refuses one without."""
    reference = busybox_base.make(folder)
    manifest = json.loads(_blob(folder, str(reference.digest)).read_bytes())
    config = json.loads(_blob(folder, manifest["config"]["digest"]).read_bytes())
    config["history"] = [{"created": "1970-01-01T00:00:00Z", "created_by": "busybox"}]
    manifest["config"] |= _store(folder, config)
    index = json.loads((folder / "index.json").read_text())
    index["manifests"][0] |= _store(folder, manifest)
    (folder / "index.json").write_text(json.dumps(index))


def _store(folder: Path, value: object) -> dict[str, object]:
    content = json.dumps(value).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _blob(folder, digest).write_bytes(content)
    return {"digest": digest, "size": len(content)}


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")
