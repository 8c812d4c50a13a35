"""What an OCI registry's repository and an OCI layout have in common: they hold images."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from modelcar.oci.content import Content
from modelcar.oci.reference import Layout, Location, Repository
from modelcar.values import Digest

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
INDEX: Final = "application/vnd.oci.image.index.v1+json"
CONFIG: Final = "application/vnd.oci.image.config.v1+json"
LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
MOST: Final = 4 << 20
"""The bytes of a manifest that a registry must take (distribution specification, "Push"), and of
any other answer that is read whole."""
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX: Final = "application/vnd.docker.distribution.manifest.list.v2+json"


@dataclass(frozen=True, slots=True)
class RawManifest:
    """A manifest or index as it was pushed, byte for byte."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> Digest:
        """The digest that names it."""
        return Digest(hashlib.sha256(self.content).hexdigest())


class KeptUpload(Protocol):
    """Keeps the address of an upload that has begun."""

    def get(self) -> str:
        """Return the address, nothing when there is none."""

    def put(self, url: str) -> None:
        """Keep the address; an empty one ends it."""

    def close(self) -> None:
        """Leave what is kept to the next process."""


class ImageStore(Protocol):
    """One place that holds images: a repository, or a layout folder."""

    location: Location

    def has_blob(self, digest: Digest) -> bool:
        """Return whether the blob is here, without reading it."""

    def push_blob(self, content: Content, kept: KeptUpload | None = None) -> Digest:
        """Store the bytes and return their digest, computed while they go by.

        `kept` remembers an upload, so that another process can go on with it.
        """

    def open_blob(self, digest: Digest) -> Iterator[bytes]:
        """Yield the blob's bytes; raise ImageError when they are not what the digest says."""

    def tags(self) -> Iterable[str]:
        """Return every tag, in no order that means anything."""

    def manifest(self, name: str | Digest) -> RawManifest | None:
        """Return the manifest of a tag or digest, None when there is none."""

    def put_manifest(self, manifest: RawManifest, tag: str) -> None:
        """Store the manifest, under `tag` unless that is empty; its digest names it always."""

    def mount_blob(self, digest: Digest, source: Location) -> bool:
        """Take a blob over from another repository of the same registry; False if it must move."""


def open_store(location: Location, chunk: int = 0) -> ImageStore:
    """Return the store that `location` names; `chunk` bytes go in one request there, 0: all."""
    from modelcar.oci.layout import OciLayout
    from modelcar.oci.registry import OciRepository

    match location:
        case Repository():
            return OciRepository(location, chunk)
        case Layout():
            return OciLayout(location)
