"""How an image is made and sent, as the command line and the site file say it."""

from dataclasses import dataclass
from typing import Final

from modelcar import images

LEAST_CHUNK: Final = 5 << 20
"""Bytes: S3, behind many an OCI registry, takes no smaller part of an upload."""


@dataclass(frozen=True, slots=True)
class Packing:
    """Settings of `build`; sizes in bytes, 0 where there is none."""

    base: str = images.BASE
    """A reference, or `scratch`."""
    platforms: tuple[str, ...] = ()
    """Such as `linux/arm64`; an index over them, or one image for linux/amd64 when empty."""
    keep: bool | None = None
    """Whether files are kept in the work folder; None: none is written there, none removed."""
    chunk: int = 0
    """What goes in one request, for OCI registries behind a body limit; 0: a whole layer."""
    max_layer: int = 0
    """The largest layer that the target takes."""
    trust_target: bool = False
    """Believe the annotations of the images that the target holds."""
    verify_reused: bool = False
    """Read each layer that is reused, and compare it with the source's checksums."""


DEFAULT: Final = Packing()
