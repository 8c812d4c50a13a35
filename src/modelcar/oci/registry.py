"""One repository of an OCI registry, over HTTP (OCI distribution specification 1.1)."""

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

from urllib3.exceptions import HTTPError

from modelcar.errors import ImageError, ModelCarError, OciRegistryError
from modelcar.oci import auth
from modelcar.oci.http import Response, Session, retrying
from modelcar.oci.reference import Location, Repository
from modelcar.oci.store import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEX,
    MANIFEST,
    Content,
    RawManifest,
)
from modelcar.values import Digest

_ACCEPT: Final = ", ".join((MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX))
_BLOCK: Final = 1 << 20
_REDIRECTS: Final = (301, 302, 303, 307, 308)
log = logging.getLogger(__name__)


class OciRepository:
    """Holds images in a repository such as `quay.io/org/name`."""

    def __init__(self, repository: Repository) -> None:
        self.location: Location = repository
        self._repository = repository
        self._session = Session(repository, auth.find(repository))

    def has_blob(self, digest: Digest) -> bool:
        """Return whether the repository holds the blob (HEAD)."""
        url = self._session.url(f"blobs/{digest}")
        # A registry that keeps blobs elsewhere redirects; it has the blob then.
        response = self._session.retry("HEAD", url, accept=(200, 307, 302, 404))
        return response.status != 404

    def push_blob(self, content: Content, size: int) -> Digest:
        """Upload `size` bytes in one streaming PATCH and return their digest.

        A broken upload starts again; an upload whose content proves wrong is cancelled, so that
        the registry never holds it as a blob.
        """
        return retrying(lambda: self._upload(content, size), "upload")

    def open_blob(self, digest: Digest) -> Iterator[bytes]:
        """Yield the blob's bytes and compare their digest at the end; raise ImageError."""
        response, sha256 = self._follow(self._session.url(f"blobs/{digest}")), hashlib.sha256()
        try:
            for block in response.stream(_BLOCK, decode_content=False):
                sha256.update(block)
                yield block
        except HTTPError as error:
            what = f"reading blob {digest} from {self._repository}"
            raise OciRegistryError(what, "the connection broke", "run it again") from error
        if sha256.hexdigest() != digest.hex:
            why = f"its bytes have the digest sha256:{sha256.hexdigest()}"
            raise ImageError(f"blob {digest} of {self._repository}", why, "the registry is damaged")

    def manifest(self, name: str | Digest) -> RawManifest | None:
        """Return the manifest of a tag or digest, None when there is none."""
        url = self._session.url(f"manifests/{name}")
        response = self._session.retry("GET", url, headers={"Accept": _ACCEPT}, accept=(200, 404))
        if response.status == 404:
            return None
        found = RawManifest(self._media_type(response), response.data)
        if isinstance(name, Digest) and found.digest != name:
            why = f"the registry answered with {found.digest}"
            raise ImageError(f"{self._repository}@{name}", why, "the registry is damaged")
        return found

    def put_manifest(self, manifest: RawManifest, tag: str) -> None:
        """Store the manifest by its digest, then under `tag` unless that is empty."""
        self._session.ask_to_push()
        for name in (str(manifest.digest), tag):
            if name:
                self._session.retry(
                    "PUT",
                    self._session.url(f"manifests/{name}"),
                    headers={"Content-Type": manifest.media_type},
                    body=manifest.content,
                    accept=(201, 202),
                )

    def mount_blob(self, digest: Digest, source: Location) -> bool:
        """Take the blob over from another repository of this registry; False if it must move."""
        if not isinstance(source, Repository) or source.host != self._repository.host:
            return False
        self._session.ask_to_push(mount_from=source.path)
        url = self._session.url(f"blobs/uploads/?mount={digest}&from={source.path}")
        try:
            response = self._session.retry("POST", url, body=b"", accept=(201, 202))
        except OciRegistryError as error:
            if error.status not in (401, 403, 404):
                raise
            # Who may push here may still not read there with the same account.
            log.info("%s is not mounted from %s: %s", digest, source, error)
            self._session.ask_no_more(source.path)
            return False
        if response.status == 202:  # not mounted: an upload was opened instead
            self._cancel(self._session.resolve(url, response.headers["Location"]))
        return response.status == 201

    def _media_type(self, response: Response) -> str:
        named = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if named in (MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX):
            return named
        try:
            return str(json.loads(response.data).get("mediaType", MANIFEST))
        except (ValueError, AttributeError) as error:
            why = f"the answer is {named or 'of no type'}, not an image manifest"
            remedy = "check the host: it may be no OCI registry, or a login page before one"
            raise OciRegistryError(f"reading from {self._repository}", why, remedy) from error

    def _upload(self, content: Content, size: int) -> Digest:
        url = self._open_upload()
        try:
            return self._stream(url, content, size)
        except OciRegistryError:
            raise
        except ModelCarError:
            self._cancel(url)
            raise

    def _open_upload(self) -> str:
        self._session.ask_to_push()
        url = self._session.url("blobs/uploads/")
        response = self._session.send("POST", url, body=b"", accept=(202,))
        return self._session.resolve(url, response.headers["Location"])

    def _stream(self, url: str, content: Content, size: int) -> Digest:
        sha256 = hashlib.sha256()

        def hashed() -> Iterator[bytes]:
            nonlocal sha256
            sha256 = hashlib.sha256()
            for block in content():
                sha256.update(block)
                yield block

        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        response = self._session.send("PATCH", url, headers=headers, body=hashed, accept=(202,))
        digest = Digest(sha256.hexdigest())
        self._commit(self._session.resolve(url, response.headers["Location"]), digest)
        return digest

    def _commit(self, url: str, digest: Digest) -> None:
        joint = "&" if urlsplit(url).query else "?"
        self._session.send("PUT", f"{url}{joint}digest={digest}", body=b"", accept=(201,))

    def _cancel(self, url: str) -> None:
        # Courtesy only: the registry drops an upload that nobody goes on with.
        with suppress(OciRegistryError):
            self._session.send("DELETE", url, accept=(204, 404))

    def _follow(self, url: str) -> Response:
        for _ in range(5):
            response = self._session.retry("GET", url, stream=True, accept=(200, *_REDIRECTS))
            if response.status == 200:
                return response
            response.drain_conn()
            url = self._session.resolve(url, response.headers["Location"])
        raise OciRegistryError(f"reading from {self._repository}", "it redirects without end")
