"""The base image: written as docker's registries hold it, read as OCI's."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelcar.errors import ImageError
from modelcar.oci import base as oci_base
from modelcar.oci.content import Content
from modelcar.oci.image import digest_of
from modelcar.oci.layout import OciLayout
from modelcar.oci.platform import Platform
from modelcar.oci.reference import DigestReference, Layout, TagReference
from modelcar.oci.store import DOCKER_INDEX, DOCKER_MANIFEST, INDEX, LAYER, RawManifest

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
ARM64_V8 = Platform("linux", "arm64", "v8")
DIFF_IDS = [f"sha256:{n * 32}" for n in ("0a", "0b", "0c")]


@pytest.fixture
def place(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def store(place: Layout) -> OciLayout:
    return OciLayout(place)


@pytest.fixture
def reference(place: Layout) -> TagReference:
    return TagReference(place, "base")


def store_json(store: OciLayout, kind: str, value: Any, tag: str = "base") -> RawManifest:
    raw = RawManifest(kind, json.dumps(value).encode())
    store.put_manifest(raw, tag)
    return raw


def docker_image(
    store: OciLayout, platform: Platform, tag: str = "base", **changes: Any
) -> RawManifest:
    """Store an image without its layers' bytes; `changes` are of its config."""
    config = {
        **platform.to_index(),
        "created": "2024-01-01T00:00:00Z",
        "history": [{"created_by": "x"}],
        "config": {"Env": ["PATH=/bin"], "Entrypoint": ["/bin/sh"], "Labels": {"a": "b"}},
        "rootfs": {"type": "layers", "diff_ids": DIFF_IDS},
        **changes,
    }
    content = json.dumps(config).encode()
    store.push_blob(Content.of(content))
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
    return store_json(store, DOCKER_MANIFEST, manifest, tag)


def entry(child: RawManifest, platform: Any) -> dict[str, Any]:
    size = len(child.content)
    named = {"mediaType": child.media_type, "digest": str(child.digest), "size": size}
    return {**named, "platform": platform}


def docker_index(
    store: OciLayout, platforms: Sequence[Platform], kind: str = DOCKER_INDEX
) -> RawManifest:
    """Store an index of images, an attestation first."""
    entries = [entry(docker_image(store, p, tag=""), p.to_index()) for p in platforms]
    attestation = {**entries[0], "platform": {"os": "unknown", "architecture": "unknown"}}
    manifests = [attestation, *entries]
    return store_json(store, kind, {"mediaType": kind, "manifests": manifests})


def test_a_docker_base_becomes_oci_and_leaves_its_own_behaviour_behind(
    store: OciLayout, reference: TagReference
) -> None:
    raw = docker_image(store, AMD64)
    found = oci_base.load(store, reference)
    assert [(d.media_type, str(d.diff_id)) for d in found.layers] == [
        (LAYER, DIFF_IDS[0]),
        (f"{LAYER}+gzip", DIFF_IDS[1]),
        (f"{LAYER}+zstd", DIFF_IDS[2]),
    ]
    assert found == replace(
        found,
        platform=AMD64,
        env=("PATH=/bin",),
        annotations={"org.opencontainers.image.base.digest": str(raw.digest)},
    )
    assert found == oci_base.load(store, DigestReference(reference.location, raw.digest))


@pytest.mark.parametrize("kind", [INDEX, DOCKER_INDEX])
def test_of_an_index_the_platform_is_taken_and_the_index_is_named(
    store: OciLayout, reference: TagReference, kind: str
) -> None:
    raw = docker_index(store, [ARM64_V8, AMD64], kind)
    for asked, platform in ((AMD64, AMD64), (ARM64, ARM64_V8), (ARM64_V8, ARM64_V8)):
        found = oci_base.load(store, reference, asked)
        assert found.platform == platform
        assert found.annotations["org.opencontainers.image.base.digest"] == str(raw.digest)


def test_a_variant_that_the_config_forgot_is_the_one_asked_for(
    store: OciLayout, reference: TagReference
) -> None:
    docker_image(store, ARM64)
    assert oci_base.load(store, reference, ARM64_V8).platform == ARM64_V8
    assert oci_base.load(store, reference, ARM64).platform == ARM64


def test_a_platform_that_the_base_has_not_is_refused_with_those_it_has(
    store: OciLayout, reference: TagReference
) -> None:
    docker_index(store, [ARM64_V8, AMD64])
    why = "it has no linux/s390x, only linux/arm64/v8, linux/amd64; name a base of that platform"
    with pytest.raises(ImageError, match=why):
        oci_base.load(store, reference, Platform("linux", "s390x"))
    docker_image(store, ARM64)
    with pytest.raises(ImageError, match="it has no linux/amd64, only linux/arm64; name a base"):
        oci_base.load(store, reference)


def test_an_index_that_names_another_platforms_image_is_refused(
    store: OciLayout, reference: TagReference
) -> None:
    child = docker_image(store, ARM64, tag="")
    manifests = [entry(child, AMD64.to_index())]
    store_json(store, INDEX, {"manifests": manifests})
    with pytest.raises(ImageError, match="it has no linux/amd64, only linux/arm64; name a base"):
        oci_base.load(store, reference)


def test_an_index_whose_image_was_left_behind_is_refused(
    store: OciLayout, reference: TagReference
) -> None:
    absent = RawManifest(DOCKER_MANIFEST, b"{}")
    store_json(store, INDEX, {"manifests": [entry(absent, AMD64.to_index())]})
    with pytest.raises(ImageError, match="it has no linux/amd64"):
        oci_base.load(store, reference)


def test_a_base_offers_what_its_index_names_once_in_that_order(
    store: OciLayout, reference: TagReference
) -> None:
    docker_index(store, [ARM64_V8, AMD64, ARM64_V8])
    assert oci_base.platforms(store, reference) == (ARM64_V8, AMD64)


def test_a_single_image_offers_what_its_config_says(
    store: OciLayout, reference: TagReference
) -> None:
    docker_image(store, ARM64_V8)
    assert oci_base.platforms(store, reference) == (ARM64_V8,)


def test_a_base_that_is_not_there_is_refused(store: OciLayout, reference: TagReference) -> None:
    for read in (oci_base.load, oci_base.platforms):
        with pytest.raises(ImageError, match=r"there is no such image; name another with --base"):
            read(store, reference)


@pytest.mark.parametrize(
    "changes",
    [
        {"os": 1},
        {"architecture": ""},
        {"architecture": "amd64\n"},
        {"rootfs": None},
        {"rootfs": {"diff_ids": DIFF_IDS[1:]}},
        {"rootfs": {"diff_ids": ["sha256:0", *DIFF_IDS[1:]]}},
        {"config": ["PATH=/bin"]},
    ],
)
def test_a_base_with_a_strange_config_is_refused_in_one_line(
    store: OciLayout, reference: TagReference, changes: dict[str, Any]
) -> None:
    docker_image(store, AMD64, **changes)
    with pytest.raises(ImageError, match="it is no container image with a config; name another"):
        oci_base.load(store, reference)


@pytest.mark.parametrize("value", [{}, {"config": {}}, {"config": {"digest": "md5:1"}}, []])
def test_what_is_no_image_is_refused_as_a_base_in_one_line(
    store: OciLayout, reference: TagReference, value: Any
) -> None:
    store_json(store, DOCKER_MANIFEST, value)
    for read in (oci_base.load, oci_base.platforms):
        with pytest.raises(ImageError, match="it is no container image with a config"):
            read(store, reference)
