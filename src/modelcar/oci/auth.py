"""Credentials for an OCI registry, from the auth file that skopeo and podman use.

Format and search order: containers-auth.json(5).
"""

import base64
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelcar.errors import ImageError
from modelcar.oci.reference import Repository
from modelcar.trust import service_account_token


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and a password or token."""

    username: str
    password: str = field(repr=False)


def find(repository: Repository) -> Credential | None:
    """Return the credential for `repository`, or None for anonymous access.

    The longest matching key of the first auth file that exists wins; OpenShift's internal
    registry takes the pod's service account token where the file has no entry.
    """
    entries = next((_entries(path) for path in _candidates() if path.is_file()), {})
    found = next((entries[key] for key in _keys(repository) if key in entries), None)
    if found is not None:
        return _decode(found)
    if repository.host.split(":")[0].endswith(".svc") and (token := service_account_token()):
        return Credential("serviceaccount", token)
    return None


def _candidates() -> Iterator[Path]:
    # A named file that is absent means anonymous, as it does for skopeo.
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
        return
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime, "containers/auth.json")
    yield Path.home() / ".config/containers/auth.json"
    yield Path.home() / ".docker/config.json"


def _keys(repository: Repository) -> Iterator[str]:
    parts = [repository.host, *repository.path.split("/")]
    for length in range(len(parts), 0, -1):
        yield "/".join(parts[:length])
    if repository.host == "docker.io":
        yield "index.docker.io/v1"  # as Docker itself names it


def _entries(path: Path) -> Mapping[str, Any]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["auths"]
        if isinstance(entries, dict):
            return {key.removeprefix("https://").rstrip("/"): entries[key] for key in entries}
    except OSError as error:
        why, remedy = error.strerror or str(error), "give the right to read it"
        raise ImageError(f"auth file {path}", why, remedy) from error
    except (ValueError, KeyError, TypeError):
        pass  # the one message below serves every fault; a parser's would quote the secret
    remedy = "write it with `skopeo login --authfile` or point REGISTRY_AUTH_FILE elsewhere"
    raise ImageError(f"auth file {path}", 'it is no JSON object with "auths"', remedy)


def _decode(entry: Any) -> Credential | None:
    encoded = entry.get("auth") if isinstance(entry, dict) else None
    if not encoded:
        return None
    try:
        username, _, password = base64.b64decode(encoded).decode().partition(":")
        return Credential(username, password)
    except (ValueError, TypeError):
        pass  # the decoder's own error holds the secret
    remedy = "write the entry again with `skopeo login --authfile`"
    raise ImageError("auth file", "an entry is not base64 of user:password", remedy)
