import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelcar.errors import ImageError
from modelcar.oci import base as oci_base
from modelcar.oci import layer
from modelcar.oci.image import LAYER_KEY, Base, Descriptor, Image, assemble, digest_of, model_layer
from modelcar.oci.layout import OciLayout
from modelcar.oci.reference import DigestReference, Layout, TagReference
from modelcar.oci.store import (
    CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    INDEX,
    LAYER,
    MANIFEST,
    RawManifest,
)
from modelcar.values import Digest, ModelSource, SourceFile

GOLDEN = Digest("b38c9b095f7ff88349d1816036e7776fbf981ebde2b40abec26c272de9af07c0")
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE = ModelSource("hf", "org/name", "main")
BIG = SourceFile("sub/model.safetensors", 5, Digest("ab" * 32))
SMALL = (
    SourceFile("config.json", 2, Digest("11" * 32), "ef" * 20),
    SourceFile("tokenizer.json", 3, Digest("22" * 32), "fe" * 20),
)
LAYERS = (model_layer(SMALL, Digest("bb" * 32)), model_layer([BIG], Digest("cc" * 32)))
BASE = Base(
    layers=(Descriptor(f"{LAYER}+gzip", Digest("dd" * 32), 7, Digest("ee" * 32)),),
    architecture="arm64",
    env=("PATH=/bin",),
    annotations={"org.opencontainers.image.base.digest": "sha256:1"},
)


def image(base: Base = BASE, source: ModelSource = SOURCE, commit: str | None = COMMIT) -> Image:
    return assemble(base, LAYERS, source, commit)


def manifest_of(made: Image) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(made.manifest.content)
    return found


def test_the_same_input_gives_the_same_bytes_on_any_day() -> None:
    # A change here gives every model a new digest.
    assert image() == image()
    assert image().manifest.digest == GOLDEN


@pytest.mark.parametrize(
    "other",
    [
        image(base=replace(BASE, env=("PATH=/sbin",))),
        image(base=Base()),
        image(source=ModelSource("hf", "org/other", "main")),
        image(commit="f" * 40),
        assemble(BASE, LAYERS[::-1], SOURCE, COMMIT),
    ],
)
def test_another_input_gives_another_digest(other: Image) -> None:
    assert other.manifest.digest != image().manifest.digest


def test_the_revisions_name_and_a_folders_path_do_not_enter() -> None:
    assert image(source=SOURCE.at("v1")) == image()
    one, other = ModelSource("file", "/a"), ModelSource("file", "/b")
    assert image(source=one, commit=None) == image(source=other, commit=None)


def test_the_config_holds_no_clock_no_history_and_no_entry_point() -> None:
    assert json.loads(image().config) == {
        "architecture": "arm64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{n * 32}" for n in ("ee", "bb", "cc")]},
    }


def test_the_manifest_names_config_and_layers_base_first() -> None:
    manifest = manifest_of(image())
    assert manifest["mediaType"] == image().manifest.media_type == MANIFEST
    assert manifest["config"] == {
        "mediaType": CONFIG,
        "digest": f"sha256:{hashlib.sha256(image().config).hexdigest()}",
        "size": len(image().config),
    }
    found = [(item["mediaType"], item["digest"], item["size"]) for item in manifest["layers"]]
    assert found == [
        (f"{LAYER}+gzip", f"sha256:{'dd' * 32}", 7),
        (LAYER, f"sha256:{'bb' * 32}", layer.size(SMALL)),
        (LAYER, f"sha256:{'cc' * 32}", layer.size([BIG])),
    ]


def test_the_manifest_says_where_the_model_is_from() -> None:
    assert manifest_of(image())["annotations"] == {
        "org.opencontainers.image.base.digest": "sha256:1",
        "org.opencontainers.image.source": "hf://org/name",
        "org.opencontainers.image.revision": COMMIT,
    }
    assert manifest_of(image(Base(), ModelSource("file", "/a"), None))["annotations"] == {}


def test_a_layer_of_one_file_says_which_as_olot_does() -> None:
    assert dict(LAYERS[1].annotations) == {
        LAYER_KEY: str(layer.key([BIG])),
        "org.opencontainers.image.title": "sub/model.safetensors",
        "olot.layer.content.name": "model.safetensors",
        "olot.layer.content.type": "file",
        "olot.layer.content.inlayerpath": "/models/sub/model.safetensors",
        "olot.layer.content.digest": f"sha256:{'ab' * 32}",
    }
    assert dict(LAYERS[0].annotations) == {LAYER_KEY: str(layer.key(SMALL))}


def test_a_layers_annotations_do_not_tell_whether_its_file_was_read_in_this_run() -> None:
    read = SMALL[0]
    listed = replace(read, sha256=None)
    assert model_layer([listed], Digest("bb" * 32)) == model_layer([read], Digest("bb" * 32))


# The base image: written as docker's registries hold it, read as OCI's.


def store_image(store: OciLayout, manifest: dict[str, Any], tag: str = "") -> RawManifest:
    raw = RawManifest(manifest["mediaType"], json.dumps(manifest).encode())
    store.put_manifest(raw, tag)
    return raw


def docker_image(store: OciLayout, architecture: str, tag: str = "") -> RawManifest:
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": "2024-01-01T00:00:00Z",
        "history": [{"created_by": "x"}],
        "config": {"Env": ["PATH=/bin"], "Entrypoint": ["/bin/sh"], "Labels": {"a": "b"}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{n * 32}" for n in ("0a", "0b", "0c")]},
    }
    content = json.dumps(config).encode()
    store.push_blob(lambda: [content], len(content))
    types = (
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        f"{LAYER}+zstd",
    )
    layers = [
        {"mediaType": kind, "digest": f"sha256:{str(number) * 64}", "size": number}
        for number, kind in enumerate(types, 1)
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": {"digest": str(digest_of(content)), "size": len(content)},
        "layers": layers,
    }
    return store_image(store, manifest, tag)


def docker_index(store: OciLayout, kind: str, tag: str) -> RawManifest:
    children = {name: docker_image(store, name) for name in ("arm64", "amd64")}
    entries = [
        {
            "mediaType": DOCKER_MANIFEST,
            "digest": str(child.digest),
            "size": len(child.content),
            "platform": {"os": "linux", "architecture": name},
        }
        for name, child in children.items()
    ]
    attestation = {**entries[0], "platform": {"os": "unknown", "architecture": "unknown"}}
    manifests = [attestation, *entries]
    return store_image(store, {"schemaVersion": 2, "mediaType": kind, "manifests": manifests}, tag)


def test_a_docker_base_becomes_oci_and_leaves_its_own_behaviour_behind(tmp_path: Path) -> None:
    place = Layout(tmp_path)
    raw = docker_image(OciLayout(place), "amd64", "base")
    found = oci_base.load(OciLayout(place), TagReference(place, "base"))
    assert [(d.media_type, str(d.diff_id)) for d in found.layers] == [
        (LAYER, f"sha256:{'0a' * 32}"),
        (f"{LAYER}+gzip", f"sha256:{'0b' * 32}"),
        (f"{LAYER}+zstd", f"sha256:{'0c' * 32}"),
    ]
    assert found == replace(
        found,
        architecture="amd64",
        os="linux",
        env=("PATH=/bin",),
        annotations={"org.opencontainers.image.base.digest": str(raw.digest)},
    )
    assert found == oci_base.load(OciLayout(place), DigestReference(place, raw.digest))


@pytest.mark.parametrize("kind", [INDEX, DOCKER_INDEX])
def test_of_an_index_the_platform_is_taken_and_the_index_is_named(
    tmp_path: Path, kind: str
) -> None:
    place = Layout(tmp_path)
    raw = docker_index(OciLayout(place), kind, "base")
    for architecture in ("amd64", "arm64"):
        found = oci_base.load(OciLayout(place), TagReference(place, "base"), architecture)
        assert found.architecture == architecture
        assert found.annotations["org.opencontainers.image.base.digest"] == str(raw.digest)
    with pytest.raises(ImageError, match="it has no linux/s390x; name a base of that platform"):
        oci_base.load(OciLayout(place), TagReference(place, "base"), "s390x")


def test_a_base_that_is_not_there_is_refused(tmp_path: Path) -> None:
    place = Layout(tmp_path)
    with pytest.raises(ImageError, match=r"there is no such image; name another with --base"):
        oci_base.load(OciLayout(place), TagReference(place, "absent"))
