"""Authorised HTTP requests to one repository of an OCI registry.

Authentication: the Docker token specification ("Token Authentication Specification"), and Basic.
"""

import json
import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, SSLError

from modelcar import trust
from modelcar.connections import Pools, small
from modelcar.errors import OciRegistryError
from modelcar.oci.auth import Credential
from modelcar.oci.reference import Repository
from modelcar.oci.store import MOST
from modelcar.retries import TRANSIENT, retrying
from modelcar.wording import line

Body = Callable[[], Iterable[bytes]]
Response = urllib3.BaseHTTPResponse

_TOKEN_MARGIN: Final = 30.0
_LONGEST: Final = 86_400.0
"""Seconds that a token is believed to live at most."""
_PARAMETER: Final = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s",]+))')
_SERVERS: Final = {"docker.io": "registry-1.docker.io"}
"""Where a registry answers elsewhere than at the name that references give it."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a `WWW-Authenticate` header asks for."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenge(header: str) -> Challenge:
    """Parse a `WWW-Authenticate` header (RFC 9110, section 11.6.1); one challenge."""
    scheme, _, rest = header.partition(" ")
    pairs = _PARAMETER.findall(rest)
    return Challenge(scheme.lower(), {name.lower(): text or bare for name, text, bare in pairs})


class Session:
    """Sends requests to one repository, with a token that is renewed when it is refused."""

    def __init__(
        self, repository: Repository, find: Callable[[Repository], Credential | None]
    ) -> None:
        """`find` is asked at each login: a pod's token is renewed in its file."""
        self.repository = repository
        self._find = find
        self._pools = Pools()
        self._root = ""
        self._scopes = {f"repository:{repository.path}:pull"}
        self._challenge: Challenge | None = None
        self._authorization, self._expires = "", float("inf")
        self._lock = threading.Lock()

    def ask_to_push(self, mount_from: str = "") -> None:
        """Ask for the right to push, and to pull from repository `mount_from` too.

        Not before it is needed: some token services refuse who asks for more than they may have.
        """
        scopes = {f"repository:{self.repository.path}:pull,push"}
        if mount_from:
            scopes.add(f"repository:{mount_from}:pull")
        with self._lock:
            if not scopes <= self._scopes:
                self._scopes |= scopes
                self._scopes.discard(f"repository:{self.repository.path}:pull")
                self._expires = 0.0

    def ask_no_more(self, mount_from: str) -> None:
        """Drop the right to pull from repository `mount_from`, which was refused."""
        with self._lock:
            self._scopes.discard(f"repository:{mount_from}:pull")
            self._expires = 0.0

    def url(self, path: str) -> str:
        """Return the address of `path` below this repository, such as `blobs/uploads/`."""
        return f"{self._base()}/v2/{self.repository.path}/{path}"

    def send(
        self,
        method: str,
        url: str,
        *,
        accept: tuple[int, ...] = (200,),
        headers: Mapping[str, str] | None = None,
        body: Body | bytes | None = None,
        stream: bool = False,
    ) -> Response:
        """Send one request, with a second try when the token was refused.

        Raises OciRegistryError for any status not in `accept`, status 0 for no answer. A `body`
        that is called is not sent a second time: part of it may have arrived.
        """
        given, used = headers or {}, self._authorization_for(url)
        response = self._once(method, url, {**given, **used}, body, stream)
        if response.status == 401 and self.is_own(url) and self._renew(response, used):
            if callable(body):
                raise self._refused(method, url, response, may_pass=True)
            renewed = {**given, **self._authorization_for(url)}
            response = self._once(method, url, renewed, body, stream)
        if response.status not in accept:
            raise self._refused(method, url, response)
        return response

    def retry(self, method: str, url: str, **options: Any) -> Response:
        """Send as `send` does, again after a pause when the fault may pass."""
        return retrying(lambda: self.send(method, url, **options))

    def is_own(self, url: str) -> bool:
        """Tell apart where a registry sends a client on to, another host or plain HTTP.

        The token is for neither, and neither is asked where to get one.
        """
        try:
            return bool(url) and _origin(url) == _origin(self._base())
        except ValueError:
            return False  # it is no address

    def location(self, base: str, response: Response) -> str:
        """Return the absolute address of the answer's `Location`; raise OciRegistryError."""
        return self.joined(base, response.headers.get("Location", ""))

    def joined(self, base: str, place: str) -> str:
        """Return the address that an answer names; raise OciRegistryError."""
        what = f"answer of OCI registry {self.repository.host}"
        try:
            url = urljoin(base, place)
            scheme, host, _ = _origin(url)
            if not place or scheme not in ("http", "https"):
                raise ValueError(place)
        except ValueError as error:
            why = "it names no place to go on"
            raise OciRegistryError(what, why, "look at its log") from error
        if base.startswith("https:") and scheme == "http":
            why = f"it sends on to plain HTTP at {host}"
            raise OciRegistryError(what, why, "have its proxy send X-Forwarded-Proto: https")
        return url

    def _once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | bytes | None,
        stream: bool,
    ) -> Response:
        sent = {"User-Agent": "modelcar", **headers}
        content = body() if callable(body) else body
        try:
            response = self._pools.request(
                method, url, headers=sent, body=content, preload_content=False, redirect=False
            )
            return response if stream and response.status == 200 else self._whole(response)
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error

    def _whole(self, response: Response) -> Response:
        """Return the answer with its body, of which an error's may be cut; none else is that long.

        Raises OciRegistryError for one that is.
        """
        read = small(response, MOST)
        if len(read.data) > MOST and read.status < 300:
            what, why = f"answer of OCI registry {self.repository.host}", f"it has more than {MOST}"
            raise OciRegistryError(what, f"{why} bytes", "look at what answers there")
        return read

    def _authorization_for(self, url: str) -> dict[str, str]:
        if not self.is_own(url):
            return {}
        with self._lock:
            if self._challenge is not None and time.monotonic() > self._expires:
                self._authorization = self._obtain(self._challenge)
            return {"Authorization": self._authorization} if self._authorization else {}

    def _renew(self, response: Response, used: Mapping[str, str]) -> bool:
        """Log in as the answer asks, and return whether it is worth another try."""
        header = response.headers.get("WWW-Authenticate", "")
        if not header:
            return False
        with self._lock:
            if self._authorization != used.get("Authorization", ""):
                return True  # another thread has logged in since
            self._challenge = parse_challenge(header)
            self._authorization = self._obtain(self._challenge)
            same = self._authorization == used.get("Authorization")
            return bool(self._authorization) and not (same and self._challenge.scheme == "basic")

    def _obtain(self, challenge: Challenge) -> str:
        basic = self._basic()
        if challenge.scheme != "bearer":
            self._expires = float("inf")
            return basic
        # What a refusal names: the right to delete has another name in each registry.
        self._scopes |= set(challenge.parameters.get("scope", "").split())
        scopes = [("scope", scope) for scope in sorted(self._scopes)]
        query = [("service", challenge.parameters.get("service", "")), *scopes]
        url = f"{challenge.parameters.get('realm', '')}?{urlencode(query)}"
        headers = {"Authorization": basic} if basic else {}
        answer = self._token(url, headers)
        named = answer.get("expires_in")
        life = min(named, _LONGEST) if isinstance(named, int | float) and named > 0 else 60.0
        self._expires = time.monotonic() + life - min(_TOKEN_MARGIN, life / 2)
        return f"Bearer {self._sound(str(answer.get('token') or answer.get('access_token', '')))}"

    def _sound(self, token: str) -> str:
        if trust.is_token(token):
            return token
        what, remedy = f"logging in to {self.repository.host}", "look at its token service"
        raise OciRegistryError(what, "its token service gave what is no token", remedy)

    def _token(self, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
        what, place = f"logging in to {self.repository.host}", line(url.partition("?")[0])
        try:
            _, host, _ = _origin(url)
        except ValueError as error:
            remedy = "look at its settings"
            raise OciRegistryError(
                what, f"its token service {place} is no address", remedy
            ) from error
        if not url.startswith("https://") and not trust.is_loopback(host):
            why = f"its token service is {place}, which is not HTTPS"
            raise OciRegistryError(what, why, "have it name one with https://")
        try:
            response = self._whole(
                self._pools.request("GET", url, headers=headers, preload_content=False)
            )
        except (HTTPError, OSError) as error:
            raise self._unreachable(error) from error
        if response.status != 200:
            raise self._refused("GET", url, response)
        try:
            answer = json.loads(response.data)
        except (ValueError, RecursionError) as error:
            why = f"its token service {place} did not answer with JSON"
            remedy = "a login page or a proxy may stand before it"
            raise OciRegistryError(what, why, remedy) from error
        return answer if isinstance(answer, dict) else {}

    def _basic(self) -> str:
        credential = self._find(self.repository)
        if credential is None:
            return ""
        return trust.basic(f"{credential.username}:{credential.password}")

    def _base(self) -> str:
        if not self._root:
            host = self.repository.host
            self._root = f"{self._scheme()}://{_SERVERS.get(host, host)}"
        return self._root

    def _scheme(self) -> str:
        if not trust.is_loopback(self.repository.host):
            return "https"
        try:
            url = f"https://{self.repository.host}/v2/"
            self._pools.request("GET", url, timeout=10, preload_content=False).close()
        except SSLError as error:
            if "CERTIFICATE" not in str(error).upper():
                return "http"
            raise self._unreachable(error) from error
        except (HTTPError, OSError):
            return "http"
        return "https"

    def _unreachable(self, error: Exception) -> OciRegistryError:
        what, why = f"OCI registry {self.repository.host}", _reason(error)
        if trust.UNTRUSTED in why:
            return OciRegistryError(what, why, f"name the CA's file in {trust.CA_VARIABLE}")
        remedy = "check the host name, the network and the proxy settings"
        return OciRegistryError(what, why, remedy, may_pass=True)

    def _refused(
        self, method: str, url: str, response: Response, may_pass: bool = False
    ) -> OciRegistryError:
        what = f"{method} {_path(url)} at OCI registry {self.repository.host}"
        why = f"HTTP {response.status}{_codes(response)}"
        remedy = _remedy(self.repository, response)
        return OciRegistryError(
            what,
            why,
            remedy,
            status=response.status,
            may_pass=may_pass or response.status in TRANSIENT,
            retry_after=response.headers.get("Retry-After"),
        )


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return parts.scheme, parts.hostname or "", port


def _path(url: str) -> str:
    # Queries hold upload state and signatures that are nobody's to read.
    return urlsplit(url).path


def _reason(error: Exception) -> str:
    text = str(error).split(": ", 1)[-1] if isinstance(error, HTTPError) else str(error)
    return text or type(error).__name__


def _codes(response: Response) -> str:
    """Return the codes and messages of the error body (distribution spec, "Error codes")."""
    try:
        errors = json.loads(response.data or b"{}").get("errors", [])
        texts = [f"{e.get('code')}: {e.get('message')}" for e in errors]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return ""
    return f" ({line('; '.join(texts))})" if texts else ""


def _remedy(repository: Repository, response: Response) -> str:
    match response.status:
        case 401 | 403:
            pipeline = "in a pipeline the secret registry-auth has the login"
            return f"log in with the right to push: `skopeo login {repository.host}`; {pipeline}"
        case 404:
            return f"check that the repository {repository.path} exists and may be read"
        case 413:
            return "raise its limit, or send smaller parts with --chunk-size 100Mi"
        case 429:
            return "it limits the rate: try again later"
        case status if status >= 500:
            return "it has a fault: try again, or look at its log"
        case status if status >= 300 and "Location" in response.headers:
            return "name the host that it sends on to"
    return "run it again, or look at its log"
