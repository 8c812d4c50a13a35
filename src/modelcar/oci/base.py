"""The base image: resolve a reference to one platform's layers and settings."""

import json
from typing import Any, Final

from modelcar.errors import ImageError
from modelcar.oci.image import Base, Descriptor
from modelcar.oci.reference import DigestReference, Layout, Reference
from modelcar.oci.store import DOCKER_INDEX, INDEX, LAYER, ImageStore, RawManifest
from modelcar.values import Digest

_OCI_TYPES: Final = {
    "application/vnd.docker.image.rootfs.diff.tar": LAYER,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": f"{LAYER}+gzip",
}


def load(store: ImageStore, reference: Reference, architecture: str = "amd64") -> Base:
    """Read the base image's manifest and config; raise ImageError when it is not there."""
    name = reference.digest if isinstance(reference, DigestReference) else reference.tag
    top = store.manifest(name)
    if top is None:
        remedy = "name another with --base, or `--base scratch` for image volumes only"
        raise ImageError(f"base image {reference}", "there is no such image", remedy)
    found = _platform(store, top, reference, architecture)
    try:
        return _base(store, found, _annotations(reference, top.digest))
    except (KeyError, ValueError, TypeError) as error:
        why, remedy = "it is no container image with a config", "name another with --base"
        raise ImageError(f"base image {reference}", why, remedy) from error


def _base(store: ImageStore, found: RawManifest, annotations: dict[str, str]) -> Base:
    manifest = json.loads(found.content)
    config = json.loads(b"".join(store.open_blob(Digest.parse(manifest["config"]["digest"]))))
    layers = zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    return Base(
        layers=tuple(_descriptor(entry, diff_id) for entry, diff_id in layers),
        architecture=config["architecture"],
        os=config["os"],
        env=tuple((config.get("config") or {}).get("Env") or ()),
        annotations=annotations,
    )


def _platform(
    store: ImageStore, top: RawManifest, reference: Reference, architecture: str
) -> RawManifest:
    if top.media_type not in (INDEX, DOCKER_INDEX):
        return top
    for entry in json.loads(top.content)["manifests"]:
        platform = entry.get("platform", {})
        if (platform.get("os"), platform.get("architecture")) == ("linux", architecture):
            found = store.manifest(Digest.parse(entry["digest"]))
            if found is not None:
                return found
    remedy = "name a base of that platform with --base"
    raise ImageError(f"base image {reference}", f"it has no linux/{architecture}", remedy)


def _descriptor(entry: dict[str, Any], diff_id: str) -> Descriptor:
    media_type = _OCI_TYPES.get(entry["mediaType"], entry["mediaType"])
    digest = Digest.parse(entry["digest"])
    return Descriptor(media_type, digest, entry["size"], Digest.parse(diff_id))


def _annotations(reference: Reference, digest: Digest) -> dict[str, str]:
    found = {"org.opencontainers.image.base.digest": str(digest)}
    if isinstance(reference.location, Layout):
        return found  # a folder's name says nothing elsewhere, and would change the digest
    return {**found, "org.opencontainers.image.base.name": str(reference.location)}
