"""Where an image stands: `host/repo:tag`, `host/repo@sha256:…` or `oci:FOLDER[:TAG]`.

The grammar of names and tags is the OCI distribution specification's ("Pulling manifests").
"""

import re
from dataclasses import dataclass
from pathlib import Path

from modelcar.errors import ReferenceError_
from modelcar.values import Digest, ImageDigest

_HOST = re.compile(r"(?:[a-zA-Z0-9][a-zA-Z0-9.-]*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")
_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
SCRATCH = "scratch"
"""Stands for no base: such an image serves as an image volume only, never as a sidecar."""
_REMEDY = "write host/repository:tag, host/repository@sha256:… or oci:FOLDER:TAG"


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository of an OCI registry."""

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"

    @property
    def in_cluster(self) -> bool:
        """Whether it is a cluster's own, which only its pods reach."""
        return self.host.split(":")[0].endswith(".svc")


@dataclass(frozen=True, slots=True)
class Layout:
    """An OCI image layout: a folder that holds images."""

    folder: Path

    def __str__(self) -> str:
        return f"oci:{self.folder}"


Location = Repository | Layout


@dataclass(frozen=True, slots=True)
class TagReference:
    """An image by a name that can move."""

    location: Location
    tag: str

    def __str__(self) -> str:
        return f"{self.location}:{self.tag}"

    def at(self, digest: Digest) -> "DigestReference":
        """Return the image of `digest` at this place."""
        return DigestReference(self.location, digest, self.tag)


@dataclass(frozen=True, slots=True)
class DigestReference:
    """An image by its digest; `tag` is a name that it was given, for people and for layouts."""

    location: Location
    digest: Digest
    tag: str = ""

    @property
    def image(self) -> ImageDigest:
        """The form that passes between stages; a layout keeps its tag, which skopeo needs."""
        kept = f":{self.tag}" if isinstance(self.location, Layout) and self.tag else ""
        return ImageDigest(f"{self.location}{kept}", self.digest)

    def __str__(self) -> str:
        return str(self.image)


Reference = TagReference | DigestReference


def parse(text: str, default_tag: str = "latest") -> Reference:
    """Parse a reference; `default_tag` stands where none is written.

    Raises ReferenceError_.
    """
    name, at, digest = text.partition("@")
    location, tag = _layout(name) if name.startswith("oci:") else _repository(name)
    if name.endswith(":") or (tag and not _TAG.fullmatch(tag)):
        raise ReferenceError_(f"image reference {text!r}", f"{tag!r} is not a tag", _REMEDY)
    if at:
        return DigestReference(location, Digest.parse(digest), tag)
    return TagReference(location, tag or default_tag)


def parse_image(text: str) -> DigestReference:
    """Parse a reference that must name a digest; raise ReferenceError_."""
    reference = parse(text)
    if isinstance(reference, DigestReference):
        return reference
    remedy = f"name it as {reference.location}@sha256:…, as `modelcar build` prints it"
    raise ReferenceError_(f"image {text!r}", "a tag can move; a digest is needed here", remedy)


def parse_tag(text: str, default_tag: str = "latest") -> TagReference:
    """Parse a reference that must name a tag, since something is to be written there.

    Raises ReferenceError_.
    """
    reference = parse(text, default_tag)
    if isinstance(reference, TagReference):
        return reference
    remedy = f"name it as {reference.location}:TAG"
    raise ReferenceError_(f"target {text!r}", "a digest cannot be written to", remedy)


def is_tag(text: object) -> bool:
    """Return whether it is a text that may name an image in a repository."""
    return isinstance(text, str) and _TAG.fullmatch(text) is not None


def _layout(name: str) -> tuple[Location, str]:
    folder, _, tag = name.removeprefix("oci:").partition(":")
    if not folder:
        raise ReferenceError_(f"image reference {name!r}", "it names no folder", _REMEDY)
    return Layout(Path(folder)), tag


def _repository(name: str) -> tuple[Location, str]:
    host, _, rest = name.partition("/")
    path, _, tag = rest.partition(":")
    if not _HOST.fullmatch(host) or not ("." in host or ":" in host or host == "localhost"):
        why = f"{host!r} is not a host (one has a dot or a port)"
        raise ReferenceError_(f"image reference {name!r}", why, _REMEDY)
    if not _REPOSITORY.fullmatch(path):
        why = f"{path!r} is not a repository name (lower case, digits, . _ - /)"
        raise ReferenceError_(f"image reference {name!r}", why, _REMEDY)
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"  # as every client reads it
    return Repository(host, path), tag
