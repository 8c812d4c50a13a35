"""Reach a Model Registry, and tell what its failures mean."""

import json
import os
import re
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelcar import trust
from modelcar.errors import UsageError

TIMEOUT = 60.0
"""Seconds for one attempt, which is six short requests at most."""
_API_PATH = re.compile(r"/api/model_registry(/\w+)?/?$")
_REMEDIES = {
    401: "give a valid token: that of the pod's service account, or what `oc whoami -t` prints",
    403: "bind the Role registry-user-NAME of the registry's namespace to this service account",
    404: "give the Route of a Model Registry that serves API v1alpha3, https://NAME-rest.DOMAIN",
}
_NO_ROUTE = (
    "check the address; from a pod give the Route's, since a NetworkPolicy may close the Service"
)


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

    def __post_init__(self) -> None:
        object.__setattr__(self, "url", _base_url(self.url))
        object.__setattr__(self, "token", self.token.strip())


def configured(url: str, ca_file: str = "", folder: Path | None = None) -> Connection | None:
    """Return the connection that `url` names, else the mounted secret `folder`; None for neither.

    The secret's keys are `url`, `ca.crt` and `token`. The token is MODEL_REGISTRY_TOKEN, the
    secret's, or the pod's own. Raises UsageError.
    """
    secret = {path.name: path for path in folder.iterdir()} if folder and folder.is_dir() else {}
    address = url or _text(secret.get("url"))
    if not address:
        return None
    token = os.environ.get("MODEL_REGISTRY_TOKEN") or _text(secret.get("token"))
    ca = ca_file or (str(secret["ca.crt"]) if "ca.crt" in secret else "")
    return Connection(address, token or trust.service_account_token(), ca)


def _text(path: Path | None) -> str:
    return path.read_text(encoding="utf-8").strip() if path else ""


def _base_url(text: str) -> str:
    parts = urllib.parse.urlsplit(text if "://" in text else f"https://{text}")
    what = f"model registry address {parts.hostname}"  # the rest may hold a secret
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


def open_client(connection: Connection) -> Any:
    """Return the generated client, an asynchronous context manager; raise UsageError."""
    from mr_openapi import ApiClient, Configuration

    settings = Configuration(host=connection.url, access_token=connection.token or None)
    client = ApiClient(settings)
    named = [Path(connection.ca_file)] if connection.ca_file else []
    for path in (*trust.ca_files(), *named):
        try:
            client.rest_client.ssl_context.load_verify_locations(cafile=path)
        except OSError as error:  # ssl's own errors are among them
            remedy = "name a file of certificates in PEM"
            raise UsageError(f"CA file {path}", str(error), remedy) from error
    return client


def client_errors() -> tuple[type[Exception], ...]:
    """Everything that the generated client raises: its own, aiohttp's, ssl's, pydantic's."""
    from aiohttp import ClientError
    from mr_openapi.exceptions import OpenApiException

    return (OpenApiException, ClientError, OSError, ValueError)


def may_pass(error: Exception) -> bool:
    """Return whether the same call may succeed in a moment; 409 is a run that was faster."""
    from aiohttp import ClientConnectionError, ClientConnectorError, ClientPayloadError

    status = getattr(error, "status", None)
    if isinstance(status, int) and status:
        return status in (409, 429) or status >= 500
    lost = isinstance(error, ClientConnectionError) and not isinstance(error, ClientConnectorError)
    return lost or isinstance(error, ClientPayloadError | TimeoutError)


def reason(error: Exception, connection: Connection) -> tuple[str, str]:
    """Return why a call failed, and the remedy; a token that the server repeats is hidden."""
    why, remedy = _reason(error)
    return why.replace(connection.token, "***") if connection.token else why, remedy


def _reason(error: Exception) -> tuple[str, str]:
    from aiohttp import ClientConnectorError, ClientSSLError

    status, body = getattr(error, "status", None), getattr(error, "body", None)
    if status:
        said = f" ({_said(body)})" if body else ""
        remedy = _REMEDIES.get(status, "look at the log of the Model Registry's server")
        return f"the server answered {status}{said}", remedy
    if isinstance(error, ClientSSLError):
        remedy = f"name a file with its CA in {trust.CA_VARIABLE}, and check that it speaks https"
        return f"TLS failed: {error}", remedy
    if isinstance(error, TimeoutError):
        return f"there was no answer within {TIMEOUT:.0f} s", _NO_ROUTE
    if isinstance(error, ClientConnectorError):
        return f"it cannot be reached: {error}", _NO_ROUTE
    return f"its answer cannot be read: {type(error).__name__}: {error}", _REMEDIES[404]


def _said(body: str) -> str:
    """Return the server's own words: the message of its JSON, or the text of a proxy."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    text = answer.get("message", "") if isinstance(answer, dict) else body
    return " ".join(str(text).split())[:200]
