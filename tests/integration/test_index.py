"""An index of one model for several platforms, in a real OCI registry and in a layout."""

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelcar.oci import base as oci_base
from modelcar.oci import earlier, layer
from modelcar.oci.content import Content
from modelcar.oci.image import Base, Image, assemble, describe, index, model_layer
from modelcar.oci.inspect import inspect
from modelcar.oci.platform import Platform
from modelcar.oci.reading_back import matches
from modelcar.oci.reference import DigestReference, Layout, Location, Repository, TagReference
from modelcar.oci.store import ImageStore, RawManifest, open_store
from modelcar.values import KnownLayer, ModelFacts, ModelSource, SourceFile
from tests.byte_path import safetensors
from tests.servers.docker_registry import DockerRegistry

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SOURCE, FACTS = ModelSource("hf", "org/name"), ModelFacts("apache-2.0")
WEIGHTS = safetensors(1000)
PLATFORMS = Platform("linux", "arm64", "v8"), Platform("linux", "s390x"), Platform("linux", "amd64")

COPY = "--preserve-digests", "--src-tls-verify=false"


@dataclass(frozen=True)
class Pushed:
    """An index that stands at a place, and its images in the order of PLATFORMS."""

    store: ImageStore
    reference: TagReference
    file: SourceFile
    known: KnownLayer
    images: tuple[Image, ...]
    index: RawManifest

    @property
    def name(self) -> str:
        """The reference as skopeo reads it."""
        in_layout = isinstance(self.reference.location, Layout)
        return str(self.reference) if in_layout else f"docker://{self.reference}"


@pytest.fixture(params=["repository", "layout"])
def pushed(
    request: pytest.FixtureRequest, oci_registry: DockerRegistry, repository: str, tmp_path: Path
) -> Pushed:
    places: dict[str, Location] = {
        "repository": Repository(oci_registry.host, repository),
        "layout": Layout(tmp_path / "images"),
    }
    reference = TagReference(places[request.param], "1")
    store = open_store(reference.location)
    blob_id = hashlib.sha1(b"blob 1000\0" + WEIGHTS).hexdigest()
    file = SourceFile("model.safetensors", 1000, None, blob_id)
    tar = b"".join(layer.stream([file], lambda _, start: [WEIGHTS[start:]]))
    known = KnownLayer(store.push_blob(Content.of(tar)), {"U8": 864})
    layers = [model_layer([file], known)]
    images = tuple(
        assemble(Base(platform=platform), layers, SOURCE, COMMIT, FACTS) for platform in PLATFORMS
    )
    for image in images:
        store.push_blob(Content.of(image.config))
        store.put_manifest(image.manifest, "")
    said = describe(layers, SOURCE, COMMIT, FACTS)
    top = index(tuple(zip(PLATFORMS, images, strict=True)), said)
    store.put_manifest(top, "1")
    return Pushed(store, reference, file, known, images, top)


def skopeo(*argv: str) -> bytes:
    done = subprocess.run(["skopeo", *argv], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def chosen(platform: Platform) -> list[str]:
    """Return the options by which skopeo takes one image of an index."""
    options = [f"--override-os={platform.os}", f"--override-arch={platform.architecture}"]
    return [*options, f"--override-variant={platform.variant}"] if platform.variant else options


def test_skopeo_reads_the_index_as_it_was_written(pushed: Pushed) -> None:
    raw = skopeo("inspect", "--raw", "--tls-verify=false", pushed.name)
    assert raw == pushed.index.content
    assert pushed.store.manifest(pushed.index.digest) == pushed.index
    found = json.loads(raw)
    assert [str(Platform(**entry["platform"])) for entry in found["manifests"]] == [
        "linux/arm64/v8",
        "linux/s390x",
        "linux/amd64",
    ]
    assert found["annotations"]["org.opencontainers.image.revision"] == COMMIT


def test_each_platforms_image_is_pulled_and_says_what_it_is(pushed: Pushed, tmp_path: Path) -> None:
    for number, (platform, image) in enumerate(zip(PLATFORMS, pushed.images, strict=True)):
        copy = f"oci:{tmp_path}/copies:{number}"
        skopeo(*chosen(platform), "copy", *COPY, pushed.name, copy)
        assert skopeo("inspect", "--raw", copy) == image.manifest.content
        config: dict[str, Any] = json.loads(skopeo("inspect", "--config", "--raw", copy))
        assert Platform.read(config) == platform
        labels = config["config"]["Labels"]
        assert labels == json.loads(image.manifest.content)["annotations"]
        assert labels["org.opencontainers.image.licenses"] == "apache-2.0"
        assert labels["io.modelcar-pipelines.model.dtypes"] == "U8=864"


def test_the_index_is_copied_whole(pushed: Pushed, tmp_path: Path) -> None:
    copy = f"oci:{tmp_path}/copy:1"
    skopeo("copy", "--all", *COPY, pushed.name, copy)
    assert skopeo("inspect", "--raw", copy) == pushed.index.content


def test_of_an_index_the_facts_of_linux_amd64_are_read(pushed: Pushed) -> None:
    reference = DigestReference(pushed.reference.location, pushed.index.digest)
    amd64 = DigestReference(pushed.reference.location, pushed.images[2].manifest.digest)
    assert inspect(reference) == inspect(amd64)
    assert inspect(reference).commit == COMMIT
    assert inspect(reference).size == layer.size([pushed.file])


def test_without_linux_amd64_the_first_images_facts_are_read(pushed: Pushed) -> None:
    first = index([(PLATFORMS[1], pushed.images[1])], {})
    pushed.store.put_manifest(first, "first")
    reference = DigestReference(pushed.reference.location, first.digest)
    assert (inspect(reference).commit, inspect(reference).layers) == (COMMIT, 1)


def test_a_base_is_for_what_its_index_names(pushed: Pushed) -> None:
    assert oci_base.platforms(pushed.store, pushed.reference) == PLATFORMS
    for platform in PLATFORMS:
        base = oci_base.load(pushed.store, pushed.reference, platform)
        assert base.platform == platform
        assert [item.digest for item in base.layers] == [pushed.known.digest]


def test_a_layer_is_known_again_by_its_key_and_by_its_bytes(pushed: Pushed) -> None:
    key = layer.key([pushed.file])
    assert key is not None
    found = earlier.layers(pushed.store, ["absent", "1"], {key: layer.size([pushed.file])})
    assert found == {key: pushed.known}
    assert matches([pushed.file], pushed.store.open_blob(pushed.known.digest))
    other = SourceFile(pushed.file.path, pushed.file.size, None, "0" * 40)
    assert not matches([other], pushed.store.open_blob(pushed.known.digest))
