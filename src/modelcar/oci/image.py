"""An image's config and manifest, and the index of several (OCI image specification 1.1). Pure."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from modelcar.oci import layer
from modelcar.oci.platform import AMD64, Platform, annotations, entries
from modelcar.oci.store import CONFIG, INDEX, LAYER, MANIFEST, RawManifest
from modelcar.parameter_count import parameter_count
from modelcar.values import (
    Digest,
    ImageFacts,
    KnownLayer,
    ModelFacts,
    ModelSource,
    SourceFile,
)

OCI: Final = "org.opencontainers.image"
OURS: Final = "io.modelcar-pipelines"
LAYER_KEY: Final = f"{OURS}.layer.key"
LAYER_TENSORS: Final = f"{OURS}.layer.tensors"
_DTYPE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,15}")
_DTYPES: Final = 32
"""More than the format has; the limits hold for annotations that a stranger wrote."""
_NO_FACTS: Final = ModelFacts()
_TOLD: Final = {
    "license": f"{OCI}.licenses",
    "base": f"{OCI}.base.digest",
    **{
        name: f"{OURS}.model.{name}"
        for name in ("parameters", "dtypes", "quantization", "architecture")
    },
}


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
    platform: Platform = AMD64
    env: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Image:
    """A config and the manifest that names it."""

    config: bytes
    manifest: RawManifest


def model_layer(files: Sequence[SourceFile], known: KnownLayer) -> Descriptor:
    """Return the descriptor of a model layer.

    A layer of one file says which, under the keys that olot uses, so that other tools can tell.
    """
    annotations = {LAYER_KEY: str(layer.key(files))}
    if known.tensors:
        annotations[LAYER_TENSORS] = _encode(known.tensors).decode()
    if len(files) == 1:
        annotations |= _one_file(files[0])
    return Descriptor(LAYER, known.digest, layer.size(files), known.digest, annotations)


def tensors(annotations: Mapping[str, Any]) -> dict[str, int]:
    """Return a layer's elements by dtype; nothing where the annotation is not as we write it."""
    try:
        found = json.loads(annotations.get(LAYER_TENSORS, "{}"))
    except (ValueError, TypeError, RecursionError):
        return {}  # a stranger wrote it
    right = isinstance(found, dict) and len(found) <= _DTYPES and all(map(_counted, found.items()))
    return found if right else {}


def describe(
    layers: Sequence[Descriptor], source: ModelSource, commit: str | None, facts: ModelFacts
) -> dict[str, str]:
    """Return the annotations and labels that tell of the model, without those of no value."""
    held = sum((Counter(tensors(item.annotations)) for item in layers), Counter[str]())
    said = {
        f"{OCI}.licenses": facts.license,
        f"{OURS}.model.parameters": str(parameter_count(held, facts.quantization)) if held else "",
        f"{OURS}.model.dtypes": ",".join(f"{dtype}={held[dtype]}" for dtype in sorted(held)),
        f"{OURS}.model.quantization": facts.quantization,
        f"{OURS}.model.architecture": facts.architecture,
    }
    return {key: text for key, text in (said | _origin(source, commit)).items() if text}


def facts(manifest: RawManifest) -> ImageFacts:
    """Return what an image's manifest says of it, under the keys that `describe` writes.

    Whoever wrote it: what is of another type says nothing.
    """
    sizes = [x["size"] for x in entries(manifest, "layers") if isinstance(x, dict) and "size" in x]
    noted = annotations(manifest)
    told = {name: noted[key] for name, key in _TOLD.items() if noted.get(key)}
    size = sum(x for x in sizes if type(x) is int and 0 <= x < 1 << 63)
    return ImageFacts(noted.get(f"{OCI}.revision"), len(sizes), size, told)


def assemble(
    base: Base,
    layers: Sequence[Descriptor],
    source: ModelSource,
    commit: str | None,
    facts: ModelFacts = _NO_FACTS,
) -> Image:
    """Return the image of `layers` upon `base`; its labels are its annotations.

    Nothing enters that the same files, commit and base would not give again: no clock, no tool
    version, no history. There is no entry point: KServe gives arguments only.
    """
    every = (*base.layers, *layers)
    annotations = {**base.annotations, **describe(layers, source, commit, facts)}
    settings = {"Env": base.env, "Labels": annotations}
    config = _encode(
        {
            **base.platform.to_index(),
            "config": {key: value for key, value in settings.items() if value},
            "rootfs": {"type": "layers", "diff_ids": [str(item.diff_id) for item in every]},
        }
    )
    manifest = {
        "config": {"mediaType": CONFIG, "digest": str(digest_of(config)), "size": len(config)},
        "layers": [item.to_manifest() for item in every],
    }
    return Image(config, _raw(MANIFEST, manifest, annotations))


def index(members: Sequence[tuple[Platform, Image]], annotations: Mapping[str, str]) -> RawManifest:
    """Return the index of one image for several platforms, which are each given once."""
    entries = [
        {
            "mediaType": image.manifest.media_type,
            "digest": str(image.manifest.digest),
            "size": len(image.manifest.content),
            "platform": platform.to_index(),
        }
        for platform, image in members
    ]
    return _raw(INDEX, {"manifests": entries}, annotations)


def digest_of(content: bytes) -> Digest:
    """Return the sha256 of `content`."""
    return Digest(hashlib.sha256(content).hexdigest())


def _counted(item: tuple[str, Any]) -> bool:
    dtype, elements = item
    number = type(elements) is int and 0 <= elements < 1 << 63
    return number and _DTYPE.fullmatch(dtype) is not None


def _one_file(file: SourceFile) -> dict[str, str]:
    annotations = {
        f"{OCI}.title": file.path,
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
    title = source.location.rpartition("/")[2]
    return {
        f"{OCI}.source": source.uri,
        f"{OCI}.title": title,
        f"{OCI}.revision": commit or "",
    }


def _raw(kind: str, body: Mapping[str, Any], annotations: Mapping[str, str]) -> RawManifest:
    every = {"schemaVersion": 2, "mediaType": kind, **body, "annotations": dict(annotations)}
    return RawManifest(kind, _encode(every))


def _encode(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
