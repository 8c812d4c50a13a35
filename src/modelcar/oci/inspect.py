"""What an image says of itself, read from the manifest that its digest names."""

import json

from modelcar.errors import ImageError
from modelcar.oci.reference import DigestReference
from modelcar.oci.store import open_store
from modelcar.values import ImageFacts


def inspect(reference: DigestReference) -> ImageFacts:
    """Read the image's manifest where it stands; raise ImageError when it is not there."""
    found = open_store(reference.location).manifest(reference.digest)
    if found is None:
        remedy = "build it, or correct the reference"
        raise ImageError(f"image {reference}", "there is no such image", remedy)
    manifest = json.loads(found.content)
    layers, annotations = manifest.get("layers", []), manifest.get("annotations", {})
    commit = annotations.get("org.opencontainers.image.revision")
    return ImageFacts(commit, len(layers), sum(int(entry["size"]) for entry in layers))
