"""What stands at an OCI registry, asked without any code of ours."""

import hashlib
import json
from typing import Any

import urllib3

_ACCEPT = ", ".join(
    f"application/vnd.{kind}"
    for kind in (
        "oci.image.manifest.v1+json",
        "oci.image.index.v1+json",
        "docker.distribution.manifest.v2+json",
        "docker.distribution.manifest.list.v2+json",
    )
)


def whole(host: str, repository: str, tag: str) -> str | None:
    """Return the digest that `tag` names, None for no such tag.

    Every manifest and blob below it is read, and held against its size and digest.
    """
    content = _got(f"http://{host}/v2/{repository}/manifests/{tag}")
    if content is None:
        return None
    _hold_members(f"http://{host}/v2/{repository}", json.loads(content))
    return _digest(content)


def _hold_members(base: str, manifest: dict[str, Any]) -> None:
    for entry in manifest.get("manifests", ()):
        _hold_members(base, json.loads(_held(f"{base}/manifests/", entry)))
    for entry in (*filter(None, [manifest.get("config")]), *manifest.get("layers", ())):
        _held(f"{base}/blobs/", entry)


def _held(place: str, entry: dict[str, Any]) -> bytes:
    content = _got(place + entry["digest"])
    assert content is not None, f"{entry['digest']} is named, and is not there"
    assert (len(content), _digest(content)) == (entry["size"], entry["digest"])
    return content


def _got(url: str) -> bytes | None:
    answer = urllib3.request("GET", url, headers={"Accept": _ACCEPT})
    assert answer.status in (200, 404), (url, answer.status)
    return answer.data if answer.status == 200 else None


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
