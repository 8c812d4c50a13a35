"""One repository of an OCI registry, over HTTP (OCI distribution specification 1.1)."""

import hashlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

from urllib3.exceptions import HTTPError

from modelcar import connections, pace
from modelcar.errors import ImageError, OciRegistryError
from modelcar.oci import auth
from modelcar.oci.content import Content
from modelcar.oci.http import Response, Session
from modelcar.oci.reference import Location, Repository, is_tag
from modelcar.oci.store import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEX,
    MANIFEST,
    KeptUpload,
    RawManifest,
)
from modelcar.oci.upload import Upload
from modelcar.values import Digest
from modelcar.wording import line

_ACCEPT: Final = ", ".join((MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX))
_BLOCK: Final = 1 << 20
_DAMAGED: Final = "have the OCI registry's storage checked"
_PAGES: Final = 1000
_NEXT: Final = re.compile(r'<([^>]+)>\s*;\s*rel="?next')
_NOT_MOUNTED: Final = (400, 401, 403, 404, 405, 500, 501)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
log = logging.getLogger(__name__)


class OciRepository:
    """Holds images in a repository such as `quay.io/org/name`."""

    def __init__(self, repository: Repository, chunk: int = 0) -> None:
        """`chunk` is the number of bytes that go in one request, 0 for a whole layer."""
        self.location: Location = repository
        self._repository, self._chunk = repository, chunk
        self._session = Session(repository, auth.find)

    def has_blob(self, digest: Digest) -> bool:
        """Return whether the repository holds the blob (HEAD)."""
        try:
            return self._has(digest)
        except OciRegistryError as error:
            if error.status not in (401, 403):
                raise
            # Quay lets nobody read a repository that is not there yet, but makes it for who pushes.
            self._session.ask_to_push()
            return self._has(digest)

    def push_blob(self, content: Content, kept: KeptUpload | None = None) -> Digest:
        """Upload the bytes and return their digest; a broken upload goes on where it can."""
        return Upload(self._session, content, kept, self._chunk).run()

    def open_blob(self, digest: Digest) -> Iterator[bytes]:
        """Yield the blob's bytes and compare their digest at the end; raise ImageError."""
        response, sha256 = self._follow(self._session.url(f"blobs/{digest}")), hashlib.sha256()
        try:
            for block in pace.blocks(response, _BLOCK, connections.STORE):
                sha256.update(block)
                yield block
        except HTTPError as error:
            what = f"reading blob {digest} from {self._repository}"
            why = f"the connection broke ({line(str(error))})"
            raise OciRegistryError(what, why, "run it again") from error
        finally:
            response.close()
        if sha256.hexdigest() != digest.hex:
            why = f"its bytes have the digest sha256:{sha256.hexdigest()}"
            raise ImageError(f"blob {digest} of {self._repository}", why, _DAMAGED)

    def tags(self) -> Iterator[str]:
        """Yield every tag, page by page; none for a repository that is not there yet."""
        url, seen = self._session.url("tags/list?n=1000"), set[str]()
        while url and url not in seen:
            seen.add(url)
            if len(seen) > _PAGES:
                why, remedy = "its list of tags has no end", "look at what answers there"
                raise OciRegistryError(f"reading from {self._repository}", why, remedy)
            response = self._session.retry("GET", url, accept=(200, 404))
            named = self._json(response).get("tags")
            # What is no tag would lead to another place of the registry.
            yield from filter(is_tag, named if isinstance(named, list) else ())
            following = _NEXT.search(response.headers.get("Link", ""))
            url = self._session.joined(url, following[1]) if following else ""

    def manifest(self, name: str | Digest) -> RawManifest | None:
        """Return the manifest of a tag or digest, None when there is none."""
        url = self._session.url(f"manifests/{name}")
        response = self._session.retry("GET", url, headers={"Accept": _ACCEPT}, accept=(200, 404))
        if response.status == 404:
            return None
        found = RawManifest(self._media_type(response), response.data)
        if isinstance(name, Digest) and found.digest != name:
            why = f"the OCI registry answered with {found.digest}"
            raise ImageError(f"{self._repository}@{name}", why, _DAMAGED)
        return found

    def put_manifest(self, manifest: RawManifest, tag: str) -> None:
        """Store the manifest under `tag`, or by its digest alone when that is empty.

        A push by tag stores it by its digest too. OpenShift's own registry makes the image stream
        at a push by tag only.
        """
        self._session.ask_to_push()
        response = self._session.retry(
            "PUT",
            self._session.url(f"manifests/{tag or manifest.digest}"),
            headers={"Content-Type": manifest.media_type},
            body=manifest.content,
            accept=(201, 202),
        )
        stored = response.headers.get("Docker-Content-Digest", str(manifest.digest))
        if stored != str(manifest.digest):
            why = f"it was stored as {stored}, not as {manifest.digest}"
            raise ImageError(
                f"manifest of {self._repository}",
                why,
                "use an OCI registry that keeps images as they are",
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
            if error.status not in _NOT_MOUNTED:
                raise
            # Who may push here may still not read there with the same account.
            log.info("%s is not mounted from %s: %s", digest, source, error)
            self._session.ask_no_more(source.path)
            return False
        if response.status == 202:  # not mounted: an upload was opened instead
            self._abandon(self._session.location(url, response))
        return response.status == 201

    def _has(self, digest: Digest) -> bool:
        url = self._session.url(f"blobs/{digest}")
        # A registry that keeps blobs elsewhere redirects; it has the blob then.
        return self._session.retry("HEAD", url, accept=(200, 307, 302, 404)).status != 404

    def _media_type(self, response: Response) -> str:
        named = response.headers.get("Content-Type", "").partition(";")[0].strip()
        if named in (MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX):
            return named
        return str(self._json(response).get("mediaType", MANIFEST))

    def _json(self, response: Response) -> dict[str, Any]:
        try:
            answer = json.loads(response.data)
            if isinstance(answer, dict):
                return answer
        except (ValueError, RecursionError):
            pass  # the one message below serves every fault
        named = response.headers.get("Content-Type", "").partition(";")[0].strip()
        why = f"the answer is {named or 'of no type'}, not what an OCI registry says"
        remedy = "check the host: it may be no OCI registry, or a login page before one"
        raise OciRegistryError(f"reading from {self._repository}", why, remedy)

    def _abandon(self, url: str) -> None:
        # Courtesy only: the registry drops an upload that nobody goes on with.
        with suppress(OciRegistryError):
            self._session.send("DELETE", url, accept=(204, 404))

    def _follow(self, url: str) -> Response:
        for _ in range(5):
            response = self._session.retry("GET", url, stream=True, accept=(200, *_REDIRECTS))
            if response.status == 200:
                return response
            url = self._session.location(url, response)
        raise OciRegistryError(
            f"reading from {self._repository}",
            "it redirects without end",
            "look at what answers there",
        )
