"""What an image says of itself: its commit, its size, its model layers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from modelcar.errors import ImageError
from modelcar.oci.reference import DigestReference
from modelcar.oci.store import open_store


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Read from the manifest that the digest names; `size` is all layers' bytes."""

    commit: str | None
    layers: int
    size: int
    annotations: Mapping[str, str]


def inspect(reference: DigestReference) -> ImageFacts:
    """Read the image's manifest where it stands; raise ImageError when it is not there."""
    found = open_store(reference.location).manifest(reference.digest)
    if found is None:
        remedy = "build it, or correct the reference"
        raise ImageError(f"image {reference}", "there is no such image", remedy)
    manifest = json.loads(found.content)
    layers, annotations = manifest.get("layers", []), manifest.get("annotations", {})
    return ImageFacts(
        commit=annotations.get("org.opencontainers.image.revision"),
        layers=len(layers),
        size=sum(int(entry["size"]) for entry in layers),
        annotations=annotations,
    )
