"""The base image: resolve a reference to one platform's layers and settings."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from modelcar.errors import ImageError, ReferenceError_
from modelcar.oci.content import whole
from modelcar.oci.image import OCI, Base, Descriptor
from modelcar.oci.platform import AMD64, Platform, choose, members
from modelcar.oci.reference import DigestReference, Layout, Reference
from modelcar.oci.store import LAYER, MOST, ImageStore, RawManifest
from modelcar.values import Digest

_STRANGE: Final = LookupError, ValueError, TypeError, AttributeError, RecursionError
_OCI_TYPES: Final = {
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{LAYER}+gzip",
}


def load(store: ImageStore, reference: Reference, platform: Platform = AMD64) -> Base:
    """Read the base image for `platform`; raise ImageError when there is none."""
    top = _top(store, reference)
    with _readable(reference):
        found = _member(store, reference, top, platform)
        manifest, config = json.loads(found.content), _config(store, found)
        offered = _offered(config)
        if not platform.covers(offered):
            raise _lacks(reference, platform, [offered])
        layers = zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
        return Base(
            layers=tuple(_descriptor(entry, diff_id) for entry, diff_id in layers),
            platform=offered if offered.variant else platform,
            env=_texts((config.get("config") or {}).get("Env") or []),
            annotations=_annotations(reference, top.digest),
        )


def platforms(store: ImageStore, reference: Reference) -> tuple[Platform, ...]:
    """Return what the base image is for, in its own order; raise ImageError as `load` does."""
    top = _top(store, reference)
    listed = members(top)
    with _readable(reference):
        found = [_offered(_config(store, top))] if listed is None else [p for p, _ in listed]
    return tuple(dict.fromkeys(found))


def _top(store: ImageStore, reference: Reference) -> RawManifest:
    found = store.manifest(
        reference.digest if isinstance(reference, DigestReference) else reference.tag
    )
    if found is None:
        remedy = "name another with --base, or `--base scratch` for image volumes only"
        raise ImageError(f"base image {reference}", "there is no such image", remedy)
    return found


def _member(
    store: ImageStore, reference: Reference, top: RawManifest, platform: Platform
) -> RawManifest:
    listed = members(top)
    if listed is None:
        return top
    digest = choose(listed, platform)
    found = store.manifest(digest) if digest else None
    if found is None:
        raise _lacks(reference, platform, [offered for offered, _ in listed])
    return found


def _config(store: ImageStore, manifest: RawManifest) -> dict[str, Any]:
    digest = Digest.parse(json.loads(manifest.content)["config"]["digest"])
    return dict(json.loads(whole(store.open_blob(digest), MOST)))


def _offered(config: dict[str, Any]) -> Platform:
    if (found := Platform.read(config)) is None:
        raise ValueError("no platform")
    return found


@contextmanager
def _readable(reference: Reference) -> Iterator[None]:
    try:
        yield
    except (*_STRANGE, ReferenceError_) as error:
        why, remedy = "it is no container image with a config", "name another with --base"
        raise ImageError(f"base image {reference}", why, remedy) from error


def _lacks(reference: Reference, asked: Platform, offered: Sequence[Platform]) -> ImageError:
    only = ", ".join(map(str, offered[:9])) or "nothing that Linux runs"
    remedy = "name a base of that platform with --base"
    return ImageError(f"base image {reference}", f"it has no {asked}, only {only}", remedy)


def _descriptor(entry: dict[str, Any], diff_id: str) -> Descriptor:
    (named,), size = _texts([entry["mediaType"]]), entry["size"]
    if type(size) is not int or not 0 <= size < 1 << 63:
        raise ValueError("no size")
    digest = Digest.parse(entry["digest"])
    return Descriptor(_OCI_TYPES.get(named, named), digest, size, Digest.parse(diff_id))


def _texts(values: list[Any]) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("no texts")
    return tuple(values)


def _annotations(reference: Reference, digest: Digest) -> dict[str, str]:
    found = {f"{OCI}.base.digest": str(digest)}
    if isinstance(reference.location, Layout):
        return found  # a folder's name says nothing elsewhere, and would change the digest
    return {**found, f"{OCI}.base.name": str(reference.location)}
