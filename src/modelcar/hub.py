"""The Hugging Face Hub: resolve a revision to its commit, list its files, read them.

Over connections of our own: huggingface_hub starts a file over in each new process, and takes
longer to import than an unchanged model takes to check.
"""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from modelcar import checksums, ranged, safe_json, trust
from modelcar.connections import Pools, small
from modelcar.errors import HubError, ReferenceError_, SourceError, UsageError, VerificationError
from modelcar.retries import TRANSIENT, retrying
from modelcar.values import Digest, ModelSource, SourceFile, is_commit
from modelcar.wording import line

DEFAULT: Final = "https://huggingface.co"
_SMALL: Final = 64 << 20
"""Bytes: the most that a listing, a file of words, an index or a config has."""
_REFUSAL: Final = 1 << 16
"""Bytes of an answer that is not looked at, which are read so that its connection serves on."""
_LARGEST: Final = 1 << 62
"""Bytes: no file is larger."""
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_STRANGE: Final = (
    *(ValueError, KeyError, TypeError, AttributeError),
    ReferenceError_,
)
_REMEDY: Final = "check the network, the proxy and HF_ENDPOINT"
_TOKEN: Final = "HF_TOKEN (in a pipeline the secret huggingface-token)"  # noqa: S105  a name
_BAD_TOKEN: Final = "Invalid credentials in Authorization header"  # noqa: S105  the Hub's words
Response = urllib3.BaseHTTPResponse
log = logging.getLogger(__name__)


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
        answer = retrying(lambda: self._small(source, url))
        try:
            return _listing(source, safe_json.parse(answer))
        except _STRANGE as error:
            why = f"{self.endpoint} gave no answer of a Hub ({_line(error)})"
            raise SourceError(source.uri, why, "check HF_ENDPOINT and the proxy") from error

    def read(self, source: ModelSource, path: str, listed: SourceFile | None = None) -> str:
        """Return the text of a small file at `source.revision`.

        One that is not as `listed` is read once more. Raises SourceError, VerificationError.
        """
        try:
            return self._text(source, path, listed)
        except VerificationError as error:
            log.warning("%s; reading it again", error)
            return self._text(source, path, listed)

    def _text(self, source: ModelSource, path: str, listed: SourceFile | None) -> str:
        url = self._resolve(source, path)
        data = retrying(lambda: self._small(source, url, path))
        if listed is not None:
            checksums.hold(listed, data, f"{path} of {source.uri}")
        return data.decode(errors="replace")

    def open(self, source: ModelSource, file: SourceFile, start: int) -> Iterator[bytes]:
        """Yield the file's bytes from `start` on; a connection that breaks goes on where it broke.

        They are not verified here. Raises SourceError, VerificationError when the size is wrong.
        """
        url = self._resolve(source, file.path)

        def ask(start: int) -> Response:
            headers = {"Range": f"bytes={start}-"} if start else {}
            response = self._get(source, url, file.path, headers)
            _compare_size(file, response, start)
            return response

        def broken(why: str) -> HubError:
            what = f"reading {file.path} of {source.uri}"
            return HubError(what, f"the connection broke ({_shown(why)})", _REMEDY, may_pass=True)

        return ranged.read(ask, file.size, start, broken)

    def _small(self, source: ModelSource, url: str, path: str = "") -> bytes:
        """Return a file that is read to choose, or without a `path` the listing."""
        try:
            data = small(self._get(source, url, path), _SMALL).data
        except HTTPError as error:
            what = f"reading {path or 'the listing'} of {source.uri}"
            why = f"the connection broke ({_line(error)})"
            raise HubError(what, why, _REMEDY, may_pass=True) from error
        if len(data) > _SMALL:
            why = f"it has more than {_SMALL >> 20} MiB, and is read to choose the files"
            remedy = "leave it out with --exclude" if path else "check HF_ENDPOINT and the proxy"
            raise SourceError(f"{path or 'the listing'} of {source.uri}", why, remedy)
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
    ) -> Response:
        """Return the answer before its body is read, after up to four redirects."""
        for _ in range(5):
            response = self._once(source, url, headers or {})
            if response.status not in _REDIRECTS:
                break
            with suppress(HTTPError):  # its body is not wanted
                small(response, _REFUSAL)
            url = _joined(source, url, response.headers.get("Location", ""))
        if response.status in (200, 206):
            return response
        response.close()
        raise self._refused(source, url, response, path)

    def _once(self, source: ModelSource, url: str, headers: Mapping[str, str]) -> Response:
        sent = {"User-Agent": "modelcar", **headers, **self._authorization(url)}
        options = {"redirect": False, "preload_content": False}
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
        place = url.partition("://")[2].partition("/")[0]
        safe = url.startswith("https://") or trust.is_loopback(place)
        token = trust.hub_token() if own and safe else ""
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _refused(self, source: ModelSource, url: str, response: Response, path: str) -> SourceError:
        """Return the one message of a refusal; a gated repository is also a missing one there."""
        what, page = f"{source.uri}@{source.revision}", f"{self.endpoint}/{source.location}"
        own = url.startswith(f"{self.endpoint}/")
        match response.headers.get("X-Error-Code", ""):
            case "GatedRepo":
                why = "the repository is gated and this token has no access"
                remedy = f"accept its terms at {page}, and set {_TOKEN} to a token of that account"
                return SourceError(what, why, remedy)
            case "RevisionNotFound":
                remedy = f"name a branch, tag or commit that {page} lists"
                return SourceError(what, f"it has no revision {source.revision!r}", remedy)
            case "EntryNotFound":
                why = f"a listed file is missing ({path})"
                return SourceError(what, why, "plan again: the repository changed")
        if response.status == 401 and response.headers.get("X-Error-Message") == _BAD_TOKEN:
            remedy = f"set {_TOKEN} to a valid token, or unset it for a public model"
            return SourceError(what, "the Hub refused the token", remedy)
        if own and response.status in (401, 404):
            remedy = f"check the name; for a private one set {_TOKEN} to a token that may read it"
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
    commit = answer.get("sha")
    if not is_commit(commit):
        raise SourceError(source.uri, "the Hub names no commit", "try again later")
    if source.pinned and commit != source.revision:
        why = f"the Hub answers with commit {commit}"
        raise SourceError(f"{source.uri}@{source.revision}", why, "check HF_ENDPOINT")
    files = [_file(source, sibling) for sibling in answer.get("siblings") or ()]
    return Listing(commit, tuple(sorted(files, key=lambda file: file.path)))


def _file(source: ModelSource, sibling: Mapping[str, Any]) -> SourceFile:
    path, size, lfs = sibling["rfilename"], sibling.get("size"), sibling.get("lfs")
    if not isinstance(path, str):
        raise TypeError("a path that is no text")
    if type(size) is not int or not 0 <= size < _LARGEST:
        why = f"the Hub gives no size for {line(path)}"
        raise SourceError(source.uri, why, "try again later, or name a commit")
    if lfs:
        return SourceFile(path, size, Digest.parse(f"sha256:{lfs['sha256']}"))
    if not is_commit(sibling["blobId"]):  # git names both alike
        raise ValueError(f"no blob id of {line(path)}")
    return SourceFile(path, size, None, sibling["blobId"])


def _compare_size(file: SourceFile, response: Response, start: int) -> None:
    length = response.headers.get("Content-Length", "")
    begin = start if response.status == 206 else 0
    if re.fullmatch("[0-9]{1,18}", length) and begin + int(length) != file.size:
        response.close()
        why = f"the Hub sends {begin + int(length)} bytes, listed are {file.size}"
        remedy = "download again; if it stays so, the Hub's copy or a proxy is at fault"
        raise VerificationError(file.path, why, remedy)


def _joined(source: ModelSource, url: str, location: str) -> str:
    try:
        joined = urljoin(url, location)
        fit = ("https",) if url.startswith("https:") else ("http", "https")
        if urlsplit(joined).scheme in fit and urlsplit(joined).port != 0:
            return joined
        raise ValueError(location)
    except ValueError as error:
        why = "it sends on to what is no address, or to plain HTTP"
        raise HubError(source.uri, why, _REMEDY) from error


def _line(error: Exception) -> str:
    # urllib3 begins with its connection.
    return _shown(line(str(error).rsplit("): ", 1)[-1]) or type(error).__name__)


def _shown(text: str) -> str:
    # The query of a signed address gives its reader the file.
    return re.sub(r"(/[^\s?]*)\?[^\s'\")]+", r"\1", text)
