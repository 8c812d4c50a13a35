"""Put the images upon the model's layers under their tag; the tag goes last."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from modelcar.oci.content import Content
from modelcar.oci.image import (
    Base,
    Descriptor,
    Image,
    assemble,
    digest_of,
    facts,
    index,
)
from modelcar.oci.store import ImageStore, RawManifest
from modelcar.values import Digest, ImageFacts, Plan


@dataclass(frozen=True, slots=True)
class Published:
    """An image under its tag; `changed` is False when the tag named it already."""

    digest: Digest
    changed: bool
    facts: ImageFacts


def publish(
    store: ImageStore, bases: Sequence[Base], layers: Sequence[Descriptor], made: Plan, tag: str
) -> Published:
    """Store the image, or the index of one for each base; write nothing that stands already."""
    images = [assemble(base, layers, made.source, made.commit, made.facts) for base in bases]
    top = _top(bases, images)
    present = store.manifest(tag)
    changed = present is None or present.digest != top.digest
    for image in images if changed else ():
        _store(store, image, tag if image.manifest == top else "")
    if changed and len(images) > 1:
        store.put_manifest(top, tag)
    return Published(top.digest, changed, facts(images[0].manifest))


def _top(bases: Sequence[Base], images: Sequence[Image]) -> RawManifest:
    if len(images) == 1:
        return images[0].manifest
    members = [(base.platform, image) for base, image in zip(bases, images, strict=True)]
    return index(members, json.loads(images[0].manifest.content)["annotations"])


def _store(store: ImageStore, image: Image, tag: str) -> None:
    if not store.has_blob(digest_of(image.config)):
        store.push_blob(Content.of(image.config))
    store.put_manifest(image.manifest, tag)
