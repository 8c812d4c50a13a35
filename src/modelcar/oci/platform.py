"""The platforms that images are for, and what an index names (OCI image specification 1.1)."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Self

from modelcar.errors import ReferenceError_, UsageError
from modelcar.oci.store import DOCKER_INDEX, INDEX, MOST, RawManifest
from modelcar.values import Digest

_LINUX: Final = re.compile(
    r"(linux)/(386|amd64|arm|arm64|loong64|mips(?:64)?(?:le)?|ppc64(?:le)?|riscv64|s390x)"
    r"(?:/([a-z0-9.]+))?"
)
"""What Go, whose names the specification takes, knows of Linux."""
_WORD: Final = re.compile(r"[a-z0-9.]*")
_UNNAMED: Final = {"amd64": "v1", "arm": "v7", "arm64": "v8"}
"""The variant that is meant where none is named, as containerd reads it."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on."""

    os: str
    architecture: str
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `linux/amd64` or `linux/arm64/v8`; raise UsageError."""
        if (match := _LINUX.fullmatch(text)) is None:
            remedy = "write one such as linux/amd64 or linux/arm64"
            raise UsageError(f"platform {text!r}", "Linux knows none of that name", remedy)
        return cls(*match.groups(""))

    @classmethod
    def read(cls, entry: Any) -> Self | None:
        """Return the platform that an index or a config names; None for an attestation's."""
        match entry:
            case {"os": str(os), "architecture": str(architecture), **rest}:
                words = os, architecture, str(rest.get("variant") or "")
                named = os not in ("", "unknown") and architecture
                return cls(*words) if named and all(map(_WORD.fullmatch, words)) else None
        return None

    def covers(self, other: "Platform | None") -> bool:
        """Return whether `other` is the same: linux/arm64 is linux/arm64/v8."""
        return other is not None and self._full == other._full

    @property
    def _full(self) -> tuple[str, str, str]:
        variant = self.variant or _UNNAMED.get(self.architecture, "")
        return self.os, self.architecture, variant

    def to_index(self) -> dict[str, str]:
        """Return the platform as an index holds it."""
        entry = {"os": self.os, "architecture": self.architecture}
        return {**entry, "variant": self.variant} if self.variant else entry

    def __str__(self) -> str:
        return "/".join(self.to_index().values())


AMD64: Final = Platform("linux", "amd64")
Members = tuple[tuple[Platform, Digest], ...]


def members(index: RawManifest) -> Members | None:
    """Return the images that an index names, attestations left out; None when it is no index."""
    if index.media_type not in (INDEX, DOCKER_INDEX):
        return None
    found = (_member(entry) for entry in entries(index, "manifests"))
    return tuple(item for item in found if item)


def choose(found: Iterable[tuple[Platform, Digest]], asked: Platform) -> Digest | None:
    """Return the image for `asked`, None when there is none."""
    return next((digest for platform, digest in found if asked.covers(platform)), None)


def entries(manifest: RawManifest, name: str) -> list[Any]:
    """Return the list `name` of a manifest; nothing when it has none, whoever wrote it."""
    listed = _field(manifest, name)
    return listed if isinstance(listed, list) else []


def annotations(manifest: RawManifest) -> dict[str, str]:
    """Return the annotations of a manifest that are texts, whoever wrote it."""
    noted = _field(manifest, "annotations")
    pairs = noted.items() if isinstance(noted, dict) else ()
    return {key: text for key, text in pairs if isinstance(text, str)}


def _field(manifest: RawManifest, name: str) -> Any:
    try:
        found = json.loads(manifest.content) if len(manifest.content) <= MOST else None
    except (ValueError, RecursionError):
        found = None  # it names nothing that could be read
    return found.get(name) if isinstance(found, dict) else None


def _member(entry: Any) -> tuple[Platform, Digest] | None:
    match entry:
        case {"digest": str(digest), "platform": where} if platform := Platform.read(where):
            try:
                return platform, Digest.parse(digest)
            except ReferenceError_:
                return None  # of another algorithm than sha256, or damaged
    return None
