"""Credentials for an OCI registry, from the auth files that skopeo, podman and docker write.

Format and search order: containers-auth.json(5). No credential helper is run.
"""

import base64
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from modelcar.errors import ImageError
from modelcar.oci.reference import Repository
from modelcar.trust import service_account_token

RUN = Path("/run/containers")
_HUB: Final = ("docker.io", "index.docker.io", "registry-1.docker.io")
_FIELDS: Final = ("auth", "username", "password")
_TOKENS: Final = {"identitytoken": "an identity token", "registrytoken": "a bearer token"}
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and a password or token."""

    username: str
    password: str = field(repr=False)


def find(repository: Repository) -> Credential | None:
    """Return the credential for `repository`, or None for anonymous access.

    Files are read anew at each call: the first that has a credential wins, in it the longest key.
    OpenShift's internal registry takes the pod's service account token where no file has one.
    Raises ImageError for a broken file, and for a credential that is kept outside of it.
    """
    if credential := in_files(repository):
        return credential
    if repository.in_cluster and (token := service_account_token()):
        return Credential("serviceaccount", token)
    return None


def in_files(repository: Repository) -> Credential | None:
    """Return the credential that a file has, as skopeo would find it; raise what `find` does."""
    return next(filter(None, (_in_file(path, repository) for path in _candidates())), None)


def _candidates() -> Iterator[Path]:
    # A file that is absent means anonymous, also where it is named, as it does for skopeo.
    if named := os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
        return
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - home() raises for a user without one
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    yield (Path(runtime, "containers") if runtime else RUN / f"{os.getuid()}") / "auth.json"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "containers/auth.json")
    yield Path(os.environ.get("DOCKER_CONFIG") or home / ".docker", "config.json")


def _in_file(path: Path, repository: Repository) -> Credential | None:
    file = _read(path)
    entries, helpers = _by_place(file.get("auths")), _by_place(file.get("credHelpers"))
    keys, store = list(_keys(repository)), file.get("credsStore")
    for key in keys:
        if credential := _decode(path, repository, key, entries.get(key)):
            return credential
    helper = next((helpers[key] for key in keys if helpers.get(key)), None)
    if not helper and store and any(key in entries for key in keys):
        helper = store  # docker leaves an empty entry for what it has put there
    if helper:
        why = f"the credential is kept by the helper docker-credential-{helper}, which is not run"
        raise _elsewhere(path, repository, why)
    if store:
        log.info("auth file %s: its store %s is not asked about %s", path, store, repository.host)
    return None


def _keys(repository: Repository) -> Iterator[str]:
    parts = _place(str(repository)).split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join(parts[:length])


def _by_place(section: Mapping[str, Any] | None) -> dict[str, Any]:
    # Of several keys for one place the last wins: one with content, and written without a scheme.
    pairs = (section or {}).items()
    order = sorted(pairs, key=lambda pair: (bool(pair[1]), "://" not in pair[0]))
    return {_place(key): value for key, value in order}


def _place(key: str) -> str:
    """Return `host/path` of a key; docker also writes `https://host/v1/`."""
    scheme, _, rest = key.rpartition("://")
    host, _, path = rest.rstrip("/").partition("/")
    host = host.lower()
    if path in ("v1", "v2") and (scheme or host in _HUB):
        path = ""
    return f"{_HUB[0] if host in _HUB else host}/{path}".rstrip("/")


def _read(path: Path) -> Mapping[str, Any]:
    try:
        file = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        why, remedy = error.strerror or str(error), "name a readable file in REGISTRY_AUTH_FILE"
        raise ImageError(f"auth file {path}", why, remedy) from error
    except ValueError:
        file = None  # a parser's message would quote the secret
    if why := _fault(file):
        remedy = "write it with `skopeo login --authfile` or point REGISTRY_AUTH_FILE elsewhere"
        raise ImageError(f"auth file {path}", why, remedy)
    return dict(file)


def _fault(file: Any) -> str:
    if not isinstance(file, dict):
        return "it is not a JSON object"
    for name in ("auths", "credHelpers"):
        if not isinstance(file.get(name) or {}, dict):
            return f'its "{name}" is not a JSON object'
    bare = [value for value in file.values() if isinstance(value, dict)]
    if "auths" not in file and any(value.keys() & {"auth", "username"} for value in bare):
        return 'its entries are not below "auths"; the older form .dockercfg is not read'
    return ""


def _decode(path: Path, repository: Repository, key: str, entry: Any) -> Credential | None:
    if not isinstance(entry, dict):
        return None
    for name, words in _TOKENS.items():
        if entry.get(name):
            raise _elsewhere(path, repository, f"its entry {key} is {words}, which is not taken")
    try:
        return _credential(*(entry.get(name) or "" for name in _FIELDS))
    except (ValueError, TypeError):
        pass  # the decoder's own error holds the secret
    why = f"its entry {key} is not base64 of user:password"
    raise ImageError(f"auth file {path}", why, "write it with `skopeo login --authfile`")


def _credential(encoded: Any, username: Any, password: Any) -> Credential | None:
    if encoded:
        username, colon, password = base64.b64decode(encoded).decode().partition(":")
        if not colon:
            raise ValueError(colon)
    if not isinstance(username, str) or not isinstance(password, str):
        raise TypeError(type(password))
    return Credential(username, password) if username or password else None


def _elsewhere(path: Path, repository: Repository, why: str) -> ImageError:
    remedy = f"run `skopeo login --authfile FILE {repository.host}` and set REGISTRY_AUTH_FILE=FILE"
    return ImageError(f"auth file {path}", why, remedy)
