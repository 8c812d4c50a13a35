"""Let an OCI registry hold the image that oci-modelcar would push, by oci-modelcar's own functions.

Run by the peers' Python: `python seed_peer.py HOST REPOSITORY TAG`; standard input is a JSON list
of objects with path, sha256 (or null), and either text or the layer's digest and size.
"""

import hashlib
import json
import sys
from typing import Any

from oci_modelcar import layer, manifest, registry  # type: ignore[import-not-found]


def main() -> None:
    """Push the small files' layers, the config and the manifest."""
    host, repository, tag = sys.argv[1:]
    client = registry.OciClient(registry_host=f"http://{host}", target_repo=repository)
    files = sorted(json.load(sys.stdin), key=lambda file: str(file["path"]))
    layers = [_layer(client, repository, file) for file in files]
    config = manifest.build_config_bytes([item.digest for item in layers])
    registry.push_small_blob(client, repository, config)
    digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
    content = manifest.build_manifest_bytes(digest, len(config), layers)
    registry.push_manifest(client, repository, tag, content)


def _layer(client: Any, repository: str, file: dict[str, Any]) -> Any:
    digest, size = file.get("digest"), file.get("size")
    if "text" in file:
        content = layer.build_layer_tar_bytes("models/", file["path"], file["text"].encode())
        digest, size = registry.push_small_blob(client, repository, content), len(content)
    return manifest.BlobDescriptor(manifest.ML_TAR, digest, size, file["path"], file["sha256"])


if __name__ == "__main__":
    main()
