"""Where a Model Registry is, and who asks."""

import os
import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from modelcar import connections, trust
from modelcar.errors import UsageError

_API_PATH = re.compile(r"/api/model_registry(/\w+)?/?$")


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach a Model Registry; `ca_file` is trusted besides the system's CAs.

    `url` is a host, `host:port` or a URL with or without the API's path; it is kept as
    `scheme://host[:port][/prefix]`. Raises UsageError on anything else, and on plain HTTP to
    another machine.
    """

    url: str
    token: str = field(default="", repr=False)
    ca_file: str = ""
    timeout: float = field(default_factory=lambda: connections.ANSWER)
    """Seconds for one request."""

    def __post_init__(self) -> None:
        given = self.url
        object.__setattr__(self, "url", "")  # one that is refused may hold a password
        object.__setattr__(self, "url", _base_url(given))
        object.__setattr__(self, "token", self.token.strip())
        if not trust.is_token(self.token):
            why = "it holds a line break, a blank or a letter that no token has"
            remedy = "write it again in MODEL_REGISTRY_TOKEN or in the secret"
            raise UsageError("the Model Registry's token", why, remedy)

    @property
    def name(self) -> str:
        """The Model Registry's name, by the address of its Route (`NAME-rest.`) or Service."""
        return (_split(self.url).hostname or "").partition(".")[0].removesuffix("-rest")


def configured(
    url: str,
    ca_file: str = "",
    folder: Path | None = None,
    own_token: Callable[[], str] = trust.service_account_token,
) -> Connection | None:
    """Return the connection that `url` names, else the mounted secret `folder`; None for neither.

    The secret's keys are `url`, `ca.crt` and `token`; the latter two hold for its own host only,
    since whoever names another address may not read them. The token is MODEL_REGISTRY_TOKEN, the
    secret's, or what `own_token` finds. Raises UsageError.
    """
    secret = {path.name: path for path in folder.iterdir()} if folder and folder.is_dir() else {}
    meant = _text(secret.get("url"))
    if not (url or meant):
        return None
    if url and meant and _split(url).netloc != _split(meant).netloc:
        secret = {}
    token = os.environ.get("MODEL_REGISTRY_TOKEN") or _text(secret.get("token"))
    ca = ca_file or (str(secret["ca.crt"]) if "ca.crt" in secret else "")
    return Connection(url or meant, token or own_token(), ca)


def _text(path: Path | None) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() if path else ""
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        remedy = "write the secret model-registry-config anew"
        raise UsageError(f"file {path}", why, remedy) from error


def _split(text: str) -> urllib.parse.SplitResult:
    try:
        return urllib.parse.urlsplit(text if "://" in text else f"https://{text}")
    except ValueError as error:
        remedy = "write https://host or https://host:port"
        raise UsageError("Model Registry address", str(error), remedy) from error


def _base_url(text: str) -> str:
    parts = _split(text)
    what = f"Model Registry address {parts.hostname}"  # the rest may hold a secret
    if parts.scheme not in ("http", "https") or not parts.hostname or not _port_is_fine(parts):
        raise UsageError(what, "it is no web address", "write https://host or https://host:port")
    if "@" in parts.netloc or parts.query:
        raise UsageError(what, "it holds a user, a password or a query", "leave these out")
    if parts.scheme == "http" and not trust.is_loopback(parts.hostname):
        raise UsageError(what, "plain HTTP would show the token to the network", "use https://")
    return f"{parts.scheme}://{parts.netloc}{_API_PATH.sub('', parts.path).rstrip('/')}"


def _port_is_fine(parts: urllib.parse.SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:
        return False
