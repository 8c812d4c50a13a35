"""Layers of images that the target holds already, whoever built them, by layer key."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Final

from modelcar.errors import ImageError, OciRegistryError, ReferenceError_
from modelcar.oci import image, store
from modelcar.oci.platform import entries, members
from modelcar.oci.store import ImageStore, RawManifest
from modelcar.values import Digest, KnownLayer

MOST: Final = 100
"""The manifests that are read at most, so that an old repository does not hold a build up."""
log = logging.getLogger(__name__)


def layers(
    target: ImageStore, names: Iterable[str | Digest], wanted: Mapping[Digest, int]
) -> dict[Digest, KnownLayer]:
    """Return those of the layer keys `wanted` that a manifest of `names` names, the first of each.

    `wanted` gives each layer's size in bytes. What the annotations say is taken on trust: the
    target may be without the layer, or the layer may hold other bytes. Raises OciRegistryError.
    """
    found: dict[Digest, KnownLayer] = {}
    for manifest in islice(_manifests(target, names), MOST if wanted else 0):
        for key, known in _named(manifest, wanted):
            found.setdefault(key, known)
        if len(found) == len(wanted):
            break
    return found


def _manifests(target: ImageStore, names: Iterable[str | Digest]) -> Iterator[RawManifest | None]:
    """Yield each name's manifest, and after an index its members; None for what is not there."""
    seen: set[Digest] = set()
    for name in names:
        top = _read(target, name)
        yield top
        for _, digest in (top and members(top)) or ():
            if digest not in seen:
                seen.add(digest)
                yield _read(target, digest)


def _read(target: ImageStore, name: str | Digest) -> RawManifest | None:
    try:
        return target.manifest(name)
    except OciRegistryError:
        raise
    except ImageError as error:  # that one is damaged; the others may serve
        log.warning("no layer is reused from %s: %s", name, error)
        return None


def _named(
    manifest: RawManifest | None, wanted: Mapping[Digest, int]
) -> Iterator[tuple[Digest, KnownLayer]]:
    keys = {str(key): key for key in wanted}
    for entry in entries(manifest, "layers") if manifest else ():
        match entry:
            case {
                "mediaType": store.LAYER,
                "digest": str(digest),
                "size": int(size),
                "annotations": {image.LAYER_KEY: str(text)} as annotations,
            } if (key := keys.get(text)) and size == wanted[key]:
                with suppress(ReferenceError_):  # no digest of ours
                    yield key, KnownLayer(Digest.parse(digest), image.tensors(annotations))
