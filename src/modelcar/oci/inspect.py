"""What an image says of itself, read from the manifest that its digest names."""

from modelcar.errors import ImageError
from modelcar.oci.image import facts
from modelcar.oci.platform import AMD64, choose, members
from modelcar.oci.reference import DigestReference
from modelcar.oci.store import ImageStore, RawManifest, open_store
from modelcar.values import ImageFacts


def inspect(reference: DigestReference) -> ImageFacts:
    """Read the image's manifest where it stands; raise ImageError when it is not there.

    Of an index it reads linux/amd64, else the first: all hold the same model.
    """
    found = _manifest(open_store(reference.location), reference)
    if found is None:
        remedy = "build it, or correct the reference"
        raise ImageError(f"image {reference}", "there is no such image", remedy)
    return facts(found)


def _manifest(store: ImageStore, reference: DigestReference) -> RawManifest | None:
    top = store.manifest(reference.digest)
    if top is None or (listed := members(top)) is None:
        return top
    digest = choose(listed, AMD64) or next((digest for _, digest in listed), None)
    return store.manifest(digest) if digest else None
