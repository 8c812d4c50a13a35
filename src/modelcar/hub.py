"""The Hugging Face Hub: resolve a revision to its commit, list its files, fetch one."""

import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modelcar.errors import SourceError, UsageError, VerificationError
from modelcar.values import Digest, ModelSource, SourceFile

# Xet takes gigabytes of memory (huggingface_hub #3300): off in pods unless it was asked for. The
# library reads these when it is imported, and its own progress bars would mix with ours.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Its warnings name signed addresses, which give their reader the file.
os.environ.setdefault("HF_HUB_VERBOSITY", "error")

PAUSE: Final = 0.5
"""Seconds before the second try; they double with each one."""
_ATTEMPTS: Final = 5
_TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at one commit."""

    commit: str
    files: tuple[SourceFile, ...]


class Hub:
    """One Hub; its token comes from HF_TOKEN, the file of HF_TOKEN_PATH, or `hf auth login`."""

    def __init__(self, endpoint: str = "") -> None:
        from huggingface_hub import HfApi

        self._api: HfApi = HfApi(endpoint=endpoint or None, library_name="modelcar")

    @property
    def endpoint(self) -> str:
        """The Hub's address."""
        return self._api.endpoint

    def listing(self, source: ModelSource) -> Listing:
        """Resolve the revision and list its files with sizes and checksums.

        Raises SourceError, and UsageError for a folder, which has no commit.
        """
        if source.kind == "file":
            remedy = "name a model of the Hub, hf://org/name"
            raise UsageError(f"the commit of {source.uri}", "a folder has none", remedy)
        with self._explained(source):
            info = _retrying(
                lambda: self._api.model_info(
                    source.location, revision=source.revision, files_metadata=True, timeout=30
                )
            )
        if not info.sha:
            raise SourceError(f"{source.uri}", "the Hub names no commit", "try again later")
        files = tuple(_file(source, sibling) for sibling in info.siblings or ())
        return Listing(info.sha, tuple(sorted(files, key=lambda file: file.path)))

    def read(self, source: ModelSource, path: str) -> str:
        """Return the text of a small file at `source.revision`; raise SourceError."""
        from huggingface_hub import get_session, hf_hub_url
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            build_hf_headers,
            hf_raise_for_status,
        )

        revision, endpoint = source.revision, self._api.endpoint
        url = hf_hub_url(source.location, path, revision=revision, endpoint=endpoint)

        def get() -> str:
            response = get_session().get(url, headers=build_hf_headers(), timeout=30)
            hf_raise_for_status(response)
            return str(response.text)

        with self._explained(source):
            return str(_retrying(get))

    def fetch(
        self, source: ModelSource, file: SourceFile, folder: Path, advance: Callable[[int], None]
    ) -> Path:
        """Download one file below `folder` and return its path; raise SourceError.

        The bytes are not verified here. A connection that breaks goes on where it broke.
        """
        from huggingface_hub.errors import LocalEntryNotFoundError

        def get() -> str:
            try:
                return self._api.hf_hub_download(
                    source.location,
                    file.path,
                    revision=source.revision,
                    local_dir=folder,
                    force_download=True,  # what lies there was found wanting
                    tqdm_class=_reporting(advance),
                )
            except (ValueError, LocalEntryNotFoundError) as error:
                # The library asks for the file's head first, and hides what went wrong there.
                raise (error.__cause__ or error) from None

        with self._explained(source, file.path):
            return Path(_retrying(get))

    @contextmanager
    def _explained(self, source: ModelSource, path: str = "") -> Iterator[None]:
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError

        try:
            yield
        except HFValidationError as error:
            remedy = "write the name as the Hub's page has it, hf://org/name"
            raise SourceError(source.uri, _one_line(error).rstrip("."), remedy) from error
        except (HfHubHTTPError, OSError) as error:
            if "Consistency check failed" in str(error):
                remedy = "download again; if it stays so, the Hub's copy or a proxy is at fault"
                raise VerificationError(path, _one_line(error), remedy) from error
            raise _explain(source, self._api.endpoint, error) from error
        except Exception as error:
            if _is_transport(error):
                raise _explain(source, self._api.endpoint, error) from error
            if isinstance(error, ValueError):
                why = f"{self._api.endpoint} gave no answer of a Hub ({_one_line(error)})"
                raise SourceError(source.uri, why, "check HF_ENDPOINT and the proxy") from error
            raise


def _file(source: ModelSource, sibling: Any) -> SourceFile:
    if sibling.size is None:
        why = f"the Hub gives no size for {sibling.rfilename}"
        raise SourceError(source.uri, why, "try again later, or name a commit")
    if sibling.lfs is not None:
        return SourceFile(sibling.rfilename, sibling.size, Digest(sibling.lfs.sha256))
    return SourceFile(sibling.rfilename, sibling.size, None, sibling.blob_id)


def _retrying(attempt: Callable[[], Any]) -> Any:
    """Call `attempt` up to five times, with growing pauses, while the fault may pass."""
    for tried in range(_ATTEMPTS - 1):
        try:
            return attempt()
        except Exception as error:
            if not (_is_transport(error) or _status(error) in _TRANSIENT):
                raise
            log.warning("the Hub did not answer well (%s); trying again", _one_line(error))
            time.sleep(_pause(error, tried))
    return attempt()


def _pause(error: Exception, tried: int) -> float:
    headers = getattr(getattr(error, "response", None), "headers", {})
    named = str(headers.get("Retry-After", ""))
    return min(float(named), 120.0) if named.isdecimal() else min(PAUSE * 2.0**tried, 30.0)


def _explain(source: ModelSource, endpoint: str, error: Exception) -> SourceError:
    """Return the one message of a Hub error; a gated repository is also a missing one there."""
    from huggingface_hub import errors

    what, token = f"{source.uri}@{source.revision}", "HF_TOKEN"
    page = f"{endpoint}/{source.location}"
    match error:
        case errors.GatedRepoError():
            remedy = f"accept its terms at {page} and set {token} to a token of that account"
            return SourceError(what, "the repository is gated and this token has no access", remedy)
        case errors.RevisionNotFoundError():
            remedy = f"name a branch, tag or commit that {page} lists"
            return SourceError(what, f"it has no revision {source.revision!r}", remedy)
        case errors.RepositoryNotFoundError():
            remedy = f"check the name; for a private one set {token} to a token that may read it"
            return SourceError(what, "there is no such repository, or it is private", remedy)
        case errors.EntryNotFoundError() if _status(error) == 404:
            remedy = "plan again: the repository changed"
            return SourceError(what, f"a listed file is missing ({_one_line(error)})", remedy)
    if _status(error) == 401:
        remedy = f"set {token} to a valid token, or unset it for a public model"
        return SourceError(what, "the Hub refused the token", remedy)
    if _status(error):
        remedy = "try again later; HF_TOKEN raises the rate limit" if _status(error) == 429 else ""
        return SourceError(
            what, f"HTTP {_status(error)} from {endpoint}", remedy or "try again later"
        )
    if isinstance(error, OSError) and not _is_transport(error):
        return SourceError(what, _one_line(error), "check the work folder's space and rights")
    remedy = "check the network, the proxy and HF_ENDPOINT"
    return SourceError(what, f"{endpoint} cannot be reached ({_one_line(error)})", remedy)


def _status(error: Exception) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _is_transport(error: Exception) -> bool:
    """Tell a failed connection from a full disk: both are OSError in places."""
    from huggingface_hub.errors import FileMetadataError

    if isinstance(error, FileMetadataError | ConnectionError | TimeoutError):
        return True
    # huggingface_hub changed its HTTP library twice; each names its transport errors so.
    names = [kind.__name__ for kind in type(error).__mro__]
    return "TransportError" in names or "RequestException" in names


def _one_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    # The query of a signed address gives its reader the file.
    return re.sub(r"(/[^\s?]*)\?[^\s'\")]+", r"\1", line)


def _reporting(advance: Callable[[int], None]) -> Any:
    """Return the progress bar class that huggingface_hub is to use: it only passes on bytes."""
    from tqdm.auto import tqdm

    class Reporting(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> bool | None:
            advance(int(n or 0))
            return None

    return Reporting
