"""The Hugging Face Hub: resolve a revision to its commit, list its files, read them.

Over connections of our own: huggingface_hub starts a file over in each new process, and takes
longer to import than an unchanged model takes to check.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from modelcar import ranged, trust
from modelcar.connections import Pools
from modelcar.errors import HubError, ReferenceError_, SourceError, UsageError, VerificationError
from modelcar.retries import TRANSIENT, retrying
from modelcar.values import Digest, ModelSource, SourceFile

DEFAULT: Final = "https://huggingface.co"
_SMALL: Final = 64 << 20
"""Bytes: the most that a file of words, an index or a config has."""
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_STRANGE: Final = (
    *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
    ReferenceError_,
)
_REMEDY: Final = "check the network, the proxy and HF_ENDPOINT"
_BAD_TOKEN: Final = "Invalid credentials in Authorization header"  # noqa: S105  the Hub's words
Response = urllib3.BaseHTTPResponse


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one commit."""

    commit: str
    files: tuple[SourceFile, ...]


class Hub:
    """One Hub; its token comes from HF_TOKEN, the file of HF_TOKEN_PATH, or `hf auth login`."""

    def __init__(self, endpoint: str = "") -> None:
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or DEFAULT).rstrip("/")
        self._pools = Pools()

    def listing(self, source: ModelSource) -> Listing:
        """Resolve the revision and list its files with sizes and checksums.

        Raises SourceError, and UsageError for a folder, which has no commit.
        """
        if source.kind == "file":
            remedy = "name a model of the Hub, hf://org/name"
            raise UsageError(f"the commit of {source.uri}", "a folder has none", remedy)
        revision = quote(source.revision, safe="")
        url = f"{self.endpoint}/api/models/{source.location}/revision/{revision}?blobs=true"
        answer = retrying(lambda: self._get(source, url).data)
        try:
            return _listing(source, json.loads(answer))
        except _STRANGE as error:
            why = f"{self.endpoint} gave no answer of a Hub ({_line(error)})"
            raise SourceError(source.uri, why, "check HF_ENDPOINT and the proxy") from error

    def read(self, source: ModelSource, path: str) -> str:
        """Return the text of a small file at `source.revision`; raise SourceError."""
        url = self._resolve(source, path)
        data = retrying(lambda: self._small(source, url, path))
        return data.decode(errors="replace")

    def open(self, source: ModelSource, file: SourceFile, start: int) -> Iterator[bytes]:
        """Yield the file's bytes from `start` on; a connection that breaks goes on where it broke.

        They are not verified here. Raises SourceError, VerificationError when the size is wrong.
        """
        url = self._resolve(source, file.path)

        def ask(start: int) -> Response:
            headers = {"Range": f"bytes={start}-"} if start else {}
            response = self._get(source, url, file.path, headers, stream=True)
            _compare_size(file, response, start)
            return response

        def broken(why: str) -> HubError:
            what = f"reading {file.path} of {source.uri}"
            return HubError(what, f"the connection broke ({_shown(why)})", _REMEDY, may_pass=True)

        return ranged.read(ask, file.size, start, broken)

    def _small(self, source: ModelSource, url: str, path: str) -> bytes:
        response = self._get(source, url, path, stream=True)
        try:
            data = response.read(_SMALL + 1)
        except HTTPError as error:
            what = f"reading {path} of {source.uri}"
            raise HubError(what, f"the connection broke ({_line(error)})", may_pass=True) from error
        finally:
            response.close()
        if len(data) > _SMALL:
            why = f"it has more than {_SMALL} bytes, and is read to choose the files"
            raise SourceError(f"{path} of {source.uri}", why, "leave it out with --exclude")
        return data

    def _resolve(self, source: ModelSource, path: str) -> str:
        revision = quote(source.revision, safe="")
        return f"{self.endpoint}/{source.location}/resolve/{revision}/{quote(path)}"

    def _get(
        self,
        source: ModelSource,
        url: str,
        path: str = "",
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> Response:
        for _ in range(5):
            response = self._once(source, url, headers or {}, stream)
            if response.status not in _REDIRECTS:
                break
            response.drain_conn()
            url = _joined(source, url, response.headers.get("Location", ""))
        if response.status in (200, 206):
            return response
        response.close()
        raise self._refused(source, url, response, path)

    def _once(
        self, source: ModelSource, url: str, headers: Mapping[str, str], stream: bool
    ) -> Response:
        sent = {"User-Agent": "modelcar", **headers, **self._authorization(url)}
        options = {"redirect": False, "preload_content": not stream}
        try:
            return self._pools.request("GET", url, headers=sent, **options)
        except (HTTPError, OSError) as error:
            what = f"{source.uri}@{source.revision}"
            why = f"{self.endpoint} cannot be reached ({_line(error)})"
            if trust.UNTRUSTED in why:
                remedy = f"name the CA's file in {trust.CA_VARIABLE}"
                raise HubError(what, why, remedy) from error
            raise HubError(what, why, _REMEDY, may_pass=True) from error

    def _authorization(self, url: str) -> dict[str, str]:
        """Name the token to the Hub only, never to where it sends a client on to."""
        own = url.startswith(f"{self.endpoint}/")
        safe = url.startswith("https://") or trust.is_loopback(urlsplit(url).netloc)
        token = trust.hub_token() if own and safe else ""
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _refused(self, source: ModelSource, url: str, response: Response, path: str) -> SourceError:
        """Return the one message of a refusal; a gated repository is also a missing one there."""
        what, page = f"{source.uri}@{source.revision}", f"{self.endpoint}/{source.location}"
        own = url.startswith(f"{self.endpoint}/")
        match response.headers.get("X-Error-Code", ""):
            case "GatedRepo":
                why = "the repository is gated and this token has no access"
                remedy = f"accept its terms at {page} and set HF_TOKEN to a token of that account"
                return SourceError(what, why, remedy)
            case "RevisionNotFound":
                remedy = f"name a branch, tag or commit that {page} lists"
                return SourceError(what, f"it has no revision {source.revision!r}", remedy)
            case "EntryNotFound":
                why = f"a listed file is missing ({path})"
                return SourceError(what, why, "plan again: the repository changed")
        if response.status == 401 and response.headers.get("X-Error-Message") == _BAD_TOKEN:
            remedy = "set HF_TOKEN to a valid token, or unset it for a public model"
            return SourceError(what, "the Hub refused the token", remedy)
        if own and response.status in (401, 404):
            remedy = "check the name; for a private one set HF_TOKEN to a token that may read it"
            return SourceError(what, "there is no such repository, or it is private", remedy)
        return self._unwell(what, response, may_pass=not own)

    def _unwell(self, what: str, response: Response, may_pass: bool) -> HubError:
        # Elsewhere it is a signed address that may have run out; the next try gets a new one.
        status, remedy = response.status, "try again later"
        if status == 429:
            remedy += "; HF_TOKEN raises the rate limit"
        return HubError(
            what,
            f"HTTP {status} from {self.endpoint}",
            remedy,
            status=status,
            may_pass=may_pass or status in TRANSIENT,
            retry_after=response.headers.get("Retry-After"),
        )


def _listing(source: ModelSource, answer: Any) -> Listing:
    if not answer.get("sha"):
        raise SourceError(source.uri, "the Hub names no commit", "try again later")
    files = [_file(source, sibling) for sibling in answer.get("siblings") or ()]
    return Listing(str(answer["sha"]), tuple(sorted(files, key=lambda file: file.path)))


def _file(source: ModelSource, sibling: Mapping[str, Any]) -> SourceFile:
    path, size, lfs = str(sibling["rfilename"]), sibling.get("size"), sibling.get("lfs")
    if not isinstance(size, int) or size < 0:
        why = f"the Hub gives no size for {path}"
        raise SourceError(source.uri, why, "try again later, or name a commit")
    if lfs:
        return SourceFile(path, size, Digest.parse(f"sha256:{lfs['sha256']}"))
    return SourceFile(path, size, None, str(sibling["blobId"]))


def _compare_size(file: SourceFile, response: Response, start: int) -> None:
    length = response.headers.get("Content-Length", "")
    begin = start if response.status == 206 else 0
    if length.isdecimal() and begin + int(length) != file.size:
        response.close()
        why = f"the Hub sends {begin + int(length)} bytes, listed are {file.size}"
        remedy = "download again; if it stays so, the Hub's copy or a proxy is at fault"
        raise VerificationError(file.path, why, remedy)


def _joined(source: ModelSource, url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise HubError(source.uri, "it sends on to what is no address", _REMEDY) from error


def _line(error: Exception) -> str:
    return _shown((str(error).strip().splitlines() or [type(error).__name__])[0])


def _shown(text: str) -> str:
    # The query of a signed address gives its reader the file.
    return re.sub(r"(/[^\s?]*)\?[^\s'\")]+", r"\1", text)
