"""The image's config and manifest, from its layers (OCI image specification 1.1). Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from modelcar.oci import layer
from modelcar.oci.store import CONFIG, LAYER, MANIFEST, RawManifest
from modelcar.values import Digest, ModelSource, SourceFile

LAYER_KEY: Final = "io.modelcar-pipelines.layer.key"


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A layer in a manifest; `diff_id` is the digest of its uncompressed bytes."""

    media_type: str
    digest: Digest
    size: int
    diff_id: Digest
    annotations: Mapping[str, str] = field(default_factory=dict)

    def to_manifest(self) -> dict[str, Any]:
        """Return the descriptor as a manifest holds it."""
        entry = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        return {**entry, "annotations": dict(self.annotations)} if self.annotations else entry


@dataclass(frozen=True, slots=True)
class Base:
    """What a base image brings: its layers and the settings its files need."""

    layers: tuple[Descriptor, ...] = ()
    architecture: str = "amd64"
    os: str = "linux"
    env: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Image:
    """A config and the manifest that names it."""

    config: bytes
    manifest: RawManifest


def model_layer(files: Sequence[SourceFile], digest: Digest) -> Descriptor:
    """Return the descriptor of a model layer.

    A layer of one file says which, under the keys that olot uses, so that other tools can tell.
    """
    annotations = {LAYER_KEY: str(layer.key(files))}
    if len(files) == 1:
        annotations |= _one_file(files[0])
    return Descriptor(LAYER, digest, layer.size(files), digest, annotations)


def assemble(
    base: Base, layers: Sequence[Descriptor], source: ModelSource, commit: str | None
) -> Image:
    """Return the image of `layers` upon `base`.

    Nothing enters that the same files, commit and base would not give again: no clock, no tool
    version, no history. There is no entry point: KServe gives arguments only.
    """
    every = (*base.layers, *layers)
    settings = {"Env": list(base.env)} if base.env else {}
    config = _encode(
        {
            "architecture": base.architecture,
            "os": base.os,
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [str(item.diff_id) for item in every]},
        }
    )
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": str(digest_of(config)), "size": len(config)},
        "layers": [item.to_manifest() for item in every],
        "annotations": {**base.annotations, **_origin(source, commit)},
    }
    return Image(config, RawManifest(MANIFEST, _encode(manifest)))


def digest_of(content: bytes) -> Digest:
    """Return the sha256 of `content`."""
    return Digest(hashlib.sha256(content).hexdigest())


def _one_file(file: SourceFile) -> dict[str, str]:
    annotations = {
        "org.opencontainers.image.title": file.path,
        "olot.layer.content.name": file.path.rpartition("/")[2],
        "olot.layer.content.type": "file",
        "olot.layer.content.inlayerpath": f"/{layer.ROOT / file.path}",
    }
    if file.blob_id is None:  # else the sha256 is known on some runs only
        annotations["olot.layer.content.digest"] = str(file.sha256)
    return annotations


def _origin(source: ModelSource, commit: str | None) -> dict[str, str]:
    if source.kind == "file":
        return {}  # a path says nothing on another machine, and would change the digest
    origin = {"org.opencontainers.image.source": source.uri}
    return {**origin, "org.opencontainers.image.revision": commit} if commit else origin


def _encode(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
