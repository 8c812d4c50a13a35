"""Upload one blob, and go on where the OCI registry says that it stopped.

Distribution specification 1.1, "Pushing blobs": one PATCH with the whole, since registries behind
S3 copy a blob anew that came in small parts; chunks for those behind a body limit; one PUT where
PATCH is refused.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from modelcar.errors import OciRegistryError, VerificationError
from modelcar.oci.content import Content, Cursor
from modelcar.oci.http import Response, Session
from modelcar.oci.store import KeptUpload
from modelcar.retries import Patience
from modelcar.values import Digest

_BYTES: Final = "application/octet-stream"
_RANGE: Final = re.compile(r"(bytes=)?0-(\d{1,18})")
_COUNT: Final = re.compile(r"[0-9]{1,18}")
_CODES: Final = ("BLOB_UPLOAD", "DIGEST_INVALID", "RANGE_INVALID")
_NO_PATCH: Final = (405, 501)
log = logging.getLogger(__name__)


class Upload:
    """One upload; `kept` remembers it for another process, `chunk` bytes go at a time (0: all)."""

    def __init__(
        self, session: Session, content: Content, kept: KeptUpload | None, chunk: int = 0
    ) -> None:
        self._session, self._content, self._chunk = session, content, chunk
        self._kept = kept
        self._cursor = Cursor(content, 0)
        self._reached = 0
        self._whole = self._resumed = self._asking = False
        url = kept.get() if kept else ""
        self._url = url if session.is_own(url) else ""

    def run(self) -> Digest:
        """Send the content and return its digest, once the registry holds the blob.

        Raises OciRegistryError, and what reading the content raises; content that proves wrong is
        cancelled, so that the registry never holds it as a blob.
        """
        patience = Patience()
        try:
            while True:
                try:
                    return self._try()
                except OciRegistryError as error:
                    self._after(error, patience)
                except VerificationError:
                    self._cancel()
                    raise
        finally:
            self._cursor.close()
            if self._kept:
                self._kept.close()

    def _after(self, error: OciRegistryError, patience: Patience) -> None:
        self._cursor.close()
        if self._url and (_is_lost(error) or (self._asking and not error.may_pass)):
            self._at("")
            error.may_pass = True  # by starting this blob again
        try:
            patience.wait(error, self._reached)
        except OciRegistryError:
            if self._asking:
                self._at("")  # else the next process would end here too
            raise

    def _try(self) -> Digest:
        if self._whole and self._stands():
            return self._done()  # only the answer was lost
        self._session.ask_to_push()
        at = self._acknowledged() if self._url else 0
        if not self._url:
            self._open()
        if self._content.held and not at:
            self._commit_at_once()
        elif self._patched(at):
            self._whole = True
            self._commit()
        else:
            log.info("the OCI registry takes no PATCH: what goes in one PUT is read twice")
            self._at("")
            self._open()
            self._commit_at_once()
        return self._done()

    def _open(self) -> None:
        url = self._session.url("blobs/uploads/")
        response = self._session.send("POST", url, body=b"", accept=(202,))
        least = response.headers.get("OCI-Chunk-Min-Length", "")
        if self._chunk and _COUNT.fullmatch(least):
            self._chunk = max(self._chunk, int(least))
        self._at(self._session.location(url, response))

    def _acknowledged(self) -> int:
        """Ask how many bytes the registry holds; 0 and no upload when it cannot go on."""
        self._asking = True
        response = self._session.send("GET", self._url, accept=(200, 202, 204))
        self._asking = False
        held = _held(response, asked=True)
        if held is None or held > self._content.size:
            self._at("")
            return 0
        self._follow(response)
        self._resumed = True
        held = held if held > 1 else 0  # an empty upload is answered with 0-0, as one of a byte is
        log.info("an upload of %d bytes goes on at byte %d", self._content.size, held)
        self._reached = max(self._reached, held)
        return held

    def _patched(self, at: int) -> bool:
        """Send the bytes from `at` on; False when the registry takes no PATCH."""
        size = self._content.size
        while at < size:
            stop = min(at + self._chunk, size) if self._chunk else size
            response = self._patch(at, stop)
            if response.status in _NO_PATCH:
                return False
            self._follow(response)
            held = _held(response)
            at = held if held is not None and at < held < stop else stop
            self._reached = max(self._reached, at)
        return True

    def _patch(self, at: int, stop: int) -> Response:
        headers = {"Content-Type": _BYTES, "Content-Length": str(stop - at)}
        if self._resumed or at or stop < self._content.size:
            headers["Content-Range"] = f"{at}-{stop - 1}"
        return self._session.send(
            "PATCH",
            self._url,
            headers=headers,
            body=lambda: self._read(at, stop - at),
            accept=(201, 202, 204, *_NO_PATCH),
        )

    def _read(self, at: int, count: int) -> Iterator[bytes]:
        if self._cursor.at != at:
            self._cursor = Cursor(self._content, at)
        return self._cursor.take(count)

    def _commit(self, body: Callable[[], Iterator[bytes]] | bytes = b"", size: int = 0) -> None:
        joint = "&" if urlsplit(self._url).query else "?"
        url = f"{self._url}{joint}digest={self._content.digest}"
        headers = {"Content-Type": _BYTES, "Content-Length": str(size)}
        self._session.send("PUT", url, headers=headers, body=body, accept=(201, 204))

    def _commit_at_once(self) -> None:
        """Send all in the closing PUT; its address has the digest, so all is read before."""
        size = self._content.size
        self._commit(lambda: self._read(0, size), size)

    def _stands(self) -> bool:
        url = self._session.url(f"blobs/{self._content.digest}")
        return self._session.send("HEAD", url, accept=(200, 307, 302, 404)).status != 404

    def _cancel(self) -> None:
        # Courtesy only: the registry drops an upload that nobody goes on with.
        with suppress(OciRegistryError):
            if self._url:
                self._session.send("DELETE", self._url, accept=(204, 404))
        self._at("")

    def _done(self) -> Digest:
        self._at("")
        return self._content.digest

    def _follow(self, response: Response) -> None:
        if "Location" in response.headers:
            self._at(self._session.location(self._url, response))

    def _at(self, url: str) -> None:
        self._url = url
        if self._kept:
            self._kept.put(url)


def _is_lost(error: OciRegistryError) -> bool:
    """Tell whether the upload is unknown, expired, or not where we believe it to be."""
    coded = error.status == 400 and any(code in error.why for code in _CODES)
    return coded or error.status in (404, 416)


def _held(response: Response, asked: bool = False) -> int | None:
    """Return how many bytes `Range: 0-N` says the registry holds; None when it does not say.

    N is the last byte. But Quay, `asked` for an upload, writes `bytes=0-N` with N bytes.
    """
    match = _RANGE.fullmatch(response.headers.get("Range", "").strip())
    if match is None or (match[1] and not asked):
        return None
    return int(match[2]) + (0 if match[1] else 1)
