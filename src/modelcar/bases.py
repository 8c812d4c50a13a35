"""The base images of a build: one for each platform, their layers brought to the target."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from modelcar.errors import ImageError
from modelcar.oci import base as oci_base
from modelcar.oci.content import Content, brought, skip
from modelcar.oci.image import Base, Descriptor
from modelcar.oci.platform import AMD64, Platform
from modelcar.oci.reference import SCRATCH, parse
from modelcar.oci.store import ImageStore, open_store
from modelcar.packing import Packing

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pushed:
    """A layer that stands at the target, and whether its bytes went there just now."""

    descriptor: Descriptor
    paths: tuple[str, ...]
    uploaded: bool


@dataclass(frozen=True, slots=True)
class Foundation:
    """The bases, and a copy to make for each layer that one of them has."""

    bases: tuple[Base, ...]
    copies: tuple[Callable[[], Pushed], ...] = ()


def load(packing: Packing, target: ImageStore) -> Foundation:
    """Read the base for each platform that is asked for; raise ImageError, UsageError."""
    platforms = [Platform.parse(text) for text in packing.platforms] or [AMD64]
    if packing.base == SCRATCH:
        log.warning("base scratch: the image serves as an image volume only, not as a sidecar")
        return Foundation(tuple(Base(platform=one) for one in dict.fromkeys(platforms)))
    reference = parse(packing.base)
    store = open_store(reference.location)
    loaded = (oci_base.load(store, reference, platform) for platform in platforms)
    bases = tuple({base.platform: base for base in loaded}.values())  # v8 is all of arm64
    distinct = {item.digest: item for base in bases for item in base.layers}
    return Foundation(bases, tuple(partial(_copy, x, store, target) for x in distinct.values()))


def _copy(item: Descriptor, source: ImageStore, target: ImageStore) -> Pushed:
    if target.has_blob(item.digest) or target.mount_blob(item.digest, source.location):
        return Pushed(item, (), uploaded=False)
    content = Content(item.size, lambda start: skip(source.open_blob(item.digest), start))
    digest = target.push_blob(brought(content))
    if digest != item.digest:
        raise ImageError(f"base layer {item.digest}", f"it arrived as {digest}", "run it again")
    return Pushed(item, (), uploaded=True)
