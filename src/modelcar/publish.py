"""Put the images upon the model's layers under their tag; the tag goes last."""

import json
from collections.abc import Sequence

from modelcar.oci.content import Content
from modelcar.oci.image import Base, Descriptor, Image, assemble, digest_of, index
from modelcar.oci.store import ImageStore, RawManifest
from modelcar.values import Digest, Plan


def publish(
    store: ImageStore, bases: Sequence[Base], layers: Sequence[Descriptor], made: Plan, tag: str
) -> tuple[Digest, bool]:
    """Store the image, or the index of one for each base, and return its digest.

    The second value is False when the tag names it already: nothing is written then.
    """
    images = [assemble(base, layers, made.source, made.commit, made.facts) for base in bases]
    top = _top(bases, images)
    present = store.manifest(tag)
    if present is not None and present.digest == top.digest:
        return top.digest, False
    for image in images:
        _store(store, image, tag if image.manifest == top else "")
    if len(images) > 1:
        store.put_manifest(top, tag)
    return top.digest, True


def _top(bases: Sequence[Base], images: Sequence[Image]) -> RawManifest:
    if len(images) == 1:
        return images[0].manifest
    members = [(base.platform, image) for base, image in zip(bases, images, strict=True)]
    return index(members, json.loads(images[0].manifest.content)["annotations"])


def _store(store: ImageStore, image: Image, tag: str) -> None:
    if not store.has_blob(digest_of(image.config)):
        store.push_blob(Content.of(image.config))
    store.put_manifest(image.manifest, tag)
