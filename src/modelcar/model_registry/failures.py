"""What the failures of a Model Registry mean, and which of them may pass."""

import re
from typing import Any
from urllib.parse import urlsplit

from modelcar import retries, safe_json, trust
from modelcar.model_registry.connection import Connection
from modelcar.wording import line

_NAMESPACE = "rhoai-model-registries"
_ROUTE = "https://NAME-rest.DOMAIN"
_REMEDIES = {
    401: "give a valid token: that of the pod's service account, or what `oc whoami -t` prints",
    404: f"give the address of a Model Registry with API v1 or v1alpha3, its Route {_ROUTE}",
    500: "look at the log of the Model Registry's server",
    **dict.fromkeys((301, 302, 303, 307, 308), f"give the address that it sends on to, {_ROUTE}"),
}
_SERVICE = re.compile(r"([^.]+)\.([^.]+)\.svc(\.|$)")
_PATH = re.compile(r"/model-registry/([^/]+)$")


def client_errors() -> tuple[type[Exception], ...]:
    """Everything that the generated client raises: its own, aiohttp's, ssl's, pydantic's."""
    from aiohttp import ClientError
    from mr_openapi.exceptions import OpenApiException

    return (OpenApiException, ClientError, OSError, ValueError)


def may_pass(error: Exception) -> bool:
    """Return whether the same call may succeed in a moment; 409 is a run that was faster."""
    from aiohttp import (
        ClientConnectionError,
        ClientConnectorDNSError,
        ClientHttpProxyError,
        ClientPayloadError,
        ClientSSLError,
        ConnectionTimeoutError,
    )

    lasting = ClientSSLError | ClientConnectorDNSError | ClientHttpProxyError
    if isinstance(error, lasting | ConnectionTimeoutError):
        return False
    status = getattr(error, "status", None)
    if isinstance(status, int) and status:
        return status == 409 or status in retries.TRANSIENT
    return isinstance(error, ClientConnectionError | ClientPayloadError | TimeoutError)


def reason(error: Exception, connection: Connection) -> tuple[str, str]:
    """Return why a call failed, on one line, and the remedy; the token is hidden in both."""
    from aiohttp import ClientHttpProxyError

    status = 0 if isinstance(error, ClientHttpProxyError) else getattr(error, "status", None)
    if not status:
        return _unanswered(error, connection)
    body = getattr(error, "body", None)
    said = f" ({_said(_hidden(body, connection))})" if body else ""
    return f"the server answered {status}{said}", _remedy(status, connection.url)


def _unanswered(error: Exception, connection: Connection) -> tuple[str, str]:
    from aiohttp import (
        ClientConnectionError,
        ClientConnectorError,
        ClientHttpProxyError,
        ClientPayloadError,
        ClientSSLError,
        ConnectionTimeoutError,
    )

    told = line(_hidden(str(error) or type(error).__name__, connection))
    if isinstance(error, ClientSSLError):
        remedy = f"name a file with its CA in {trust.CA_VARIABLE}, and check that it speaks https"
        return f"TLS failed: {told}", remedy
    if isinstance(error, ClientHttpProxyError):
        return f"the proxy refused: {told}", "check HTTPS_PROXY, or name the host in NO_PROXY"
    if isinstance(error, ClientConnectorError | ConnectionTimeoutError):
        return f"it cannot be reached: {told}", _elsewhere(connection.url)
    if isinstance(error, TimeoutError):
        return f"there was no answer within {connection.timeout:g} s", _elsewhere(connection.url)
    if isinstance(error, ClientConnectionError | ClientPayloadError):
        return f"the connection broke: {told}", _REMEDIES[500]
    return f"its answer cannot be read: {told}", _REMEDIES[404]


def _hidden(text: str, connection: Connection) -> str:
    return text.replace(connection.token, "***") if connection.token else text


def _remedy(status: int, url: str) -> str:
    if status == 403:
        name, namespace = instance(url)
        role = f"bind the Role registry-user-{name} of namespace {namespace}"
        return f"{role} to the account that asks; in pipelines that is pipeline-runner-dspa"
    return _REMEDIES.get(status, _REMEDIES[500])


def _elsewhere(url: str) -> str:
    if _SERVICE.match(urlsplit(url).hostname or ""):
        return f"a NetworkPolicy closes this Service to other namespaces: give its Route, {_ROUTE}"
    return "check the address, the network and the proxy variables"


def instance(url: str) -> tuple[str, str]:
    """Return a Model Registry's name and namespace, as far as its address tells them."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if service := _SERVICE.match(host):
        return service[1], service[2]
    if path := _PATH.search(parts.path):
        return path[1], _NAMESPACE
    first = host.partition(".")[0]
    return first.removesuffix("-rest") if first.endswith("-rest") else "NAME", _NAMESPACE


def retry_after(error: Exception) -> str | None:
    """Return when the server wants to be asked again, as its header says it."""
    headers: Any = getattr(error, "headers", None)
    return headers.get("Retry-After") if headers else None


def _said(body: str) -> str:
    """Return the server's own words: the message of its JSON, or the text of a proxy."""
    try:
        answer = safe_json.parse(body)
    except ValueError:
        answer = None
    text = answer.get("message", "") if isinstance(answer, dict) else body
    return line(str(text), 200)
