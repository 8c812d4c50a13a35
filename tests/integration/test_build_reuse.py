"""`modelcar build`: which bytes move, and that a weight file is written nowhere on its way."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelcar.oci.content import Content
from modelcar.oci.image import Base, assemble
from modelcar.oci.layout import OciLayout
from modelcar.oci.platform import Platform
from modelcar.oci.reference import DigestReference, Layout, Repository
from modelcar.oci.registry import OciRepository
from modelcar.oci.store import INDEX, ImageStore, RawManifest
from modelcar.values import Digest, ModelSource
from tests.byte_path import REPO, modelcar, refused, safetensors, tiny, told, write
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer

SHARD = 64 * 1024 * 1024
"""The least size of a file that is a layer of its own."""
ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX_JSON = "model.safetensors.index.json"
ARM64 = Platform("linux", "arm64")
SMALL_FILES_ONLY = ("sh", "-c", 'ulimit -f 4000; exec "$@"', "sh")
"""No process below may write a file beyond about 2 MB (4 MB where a block is 1024 bytes)."""


@dataclass(frozen=True)
class Large:
    """A model of two large shards, built once, and what the servers had been asked by then."""

    folder: Path
    hub: HubServer
    oci_registry: DockerRegistry
    base: str
    built: Any

    def build(self, revision: str, **environment: str) -> tuple[Any, list[str], list[str]]:
        """Build again, and return the result and what each server was asked for it."""
        hub, oci_registry = len(self.hub.requests), len(self.oci_registry.asked())
        argv = ["build", f"hf://{REPO}@{revision}", "--base", self.base, "--json"]
        target = f"{self.oci_registry.host}/large:{revision}"
        done = modelcar(self.folder, *argv, "--to", target, HF_ENDPOINT=self.hub.url)
        fetched = [seen.target for seen in self.hub.requests[hub:] if seen.sent]
        return told(done), fetched, self.oci_registry.asked()[oci_registry:]

    def layer(self, path: str) -> dict[str, Any]:
        (found,) = (layer for layer in self.built["layers"] if path in layer["paths"])
        return dict(found)


@pytest.fixture(scope="module")
def large(
    oci_registry: DockerRegistry, base: DigestReference, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Large]:
    folder = tmp_path_factory.mktemp("large")
    index = {"metadata": {}, "weight_map": {"v": ONE, "w": TWO}}
    files = tiny() | {INDEX_JSON: json.dumps(index).encode()}
    del files["model.safetensors"], files["pytorch_model.bin"]
    main = files | {ONE: safetensors(SHARD), TWO: safetensors(SHARD, 1)}
    revisions: dict[str, Path | dict[str, int | bytes]] = {
        "readme": {**main, "README.md": b"# Better words\n"},
        "shard": {**main, "README.md": b"# Better weights\n", TWO: safetensors(SHARD, 2)},
    }
    source = write(folder / "source", main)
    with HubServer({REPO: source}, revisions={REPO: revisions}) as hub:
        made = Large(folder, hub, oci_registry, str(base), None)
        built, *_ = made.build("main")
        yield Large(folder, hub, oci_registry, str(base), built)


def test_each_large_file_is_a_layer_of_its_own(large: Large) -> None:
    paths = [layer["paths"] for layer in large.built["layers"]]
    assert paths[0] == []
    assert set(paths[1]) > {"README.md", "config.json", INDEX_JSON}
    assert paths[2:] == [[ONE], [TWO]]
    sizes = [layer["size"] for layer in large.built["layers"]]
    assert large.built["bytes"]["uploaded"] == sum(sizes)

    store = OciRepository(Repository(large.oci_registry.host, "large"))
    found = store.manifest("main")
    assert found is not None
    annotations = [layer.get("annotations", {}) for layer in json.loads(found.content)["layers"]]
    titles = [entry.get("org.opencontainers.image.title") for entry in annotations]
    assert titles == [None, None, ONE, TWO]


def test_an_unchanged_model_moves_nothing_and_reads_no_weights(large: Large) -> None:
    assert not (large.folder / "work" / "example--tiny").exists()

    built, fetched, asked = large.build("main")

    assert built["digest"] == large.built["digest"]
    assert built["bytes"]["uploaded"] == built["bytes"]["downloaded"] == 0
    assert built["bytes"]["reused"] == large.built["bytes"]["uploaded"]
    assert built["changed"] is False
    assert not [target for target in fetched if target.endswith(".safetensors")]
    assert {line.split()[0] for line in asked} == {"GET", "HEAD"}


def test_a_changed_readme_moves_the_small_files_alone(large: Large) -> None:
    built, fetched, asked = large.build("readme")

    small = large.layer("README.md")
    assert built["digest"] != large.built["digest"]
    assert built["bytes"]["uploaded"] == small["size"]
    same = [layer["digest"] for layer in large.built["layers"]]
    moved = [layer["paths"] for layer in built["layers"] if layer["digest"] not in same]
    assert moved == [small["paths"]]
    assert not [target for target in fetched if target.endswith(".safetensors")]
    assert [target for target in fetched if target.endswith("/README.md")]
    # The one layer and the config.
    assert len(uploads(asked)) == 2


def test_a_changed_shard_moves_with_the_small_files_only(large: Large) -> None:
    built, fetched, _ = large.build("shard")

    small, shard = large.layer("README.md"), large.layer(TWO)
    assert built["bytes"]["uploaded"] == small["size"] + shard["size"]
    assert large.layer(ONE) in built["layers"]
    weights = [target for target in fetched if target.endswith(".safetensors")]
    assert weights
    assert all(target.endswith(TWO) for target in weights)
    source = large.folder / "source"
    same = [path for path in small["paths"] if path != "README.md"]
    files = sum((source / path).stat().st_size for path in same) + len(b"# Better weights\n")
    assert built["bytes"]["downloaded"] == SHARD + files


def test_weights_are_written_nowhere_on_their_way(
    large: Large, tmp_path: Path, repository: str
) -> None:
    """Hold a build from a folder to files of a few MB, wherever it may want to write."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    target = f"{large.oci_registry.host}/{repository}:1"
    source = f"file://{large.folder}/source"
    argv = ["build", source, "--to", target, "--base", large.base, "--json"]
    built = told(modelcar(tmp_path, *argv, before=SMALL_FILES_ONLY, TMPDIR=str(temporary)))

    assert built["bytes"]["uploaded"] > 2 * SHARD
    assert not list(temporary.iterdir())
    kept = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) < 10_000


def test_the_limit_of_the_test_before_bites(large: Large, tmp_path: Path) -> None:
    argv = ["build", f"file://{large.folder}/source", "--to", "oci:layout:1"]
    done = modelcar(tmp_path, *argv, "--base", large.base, before=SMALL_FILES_ONLY)

    refused(done, "writing to oci:layout", "File too large", "free space or name another folder")


def test_base_scratch_says_what_it_cannot_do(tmp_path: Path) -> None:
    source = write(tmp_path / "model", tiny())
    argv = ["build", f"file://{source}", "--to", "oci:layout:1", "--base", "scratch", "--json"]
    done = modelcar(tmp_path, *argv)

    assert len(told(done)["layers"]) == 1
    assert "base scratch: the image serves as an image volume only, not as a sidecar" in done.stderr


def uploads(asked: list[str]) -> list[str]:
    """Return the requests that end an upload."""
    return [line for line in asked if line.startswith("PUT") and "/blobs/uploads/" in line]


def copy_base(base: DigestReference, store: ImageStore, tag: str) -> None:
    """Put the base image into another place."""
    source = OciLayout(_layout(base))
    found = source.manifest(base.digest)
    assert found is not None
    manifest = json.loads(found.content)
    for entry in [manifest["config"], *manifest["layers"]]:
        blob = b"".join(source.open_blob(Digest.parse(entry["digest"])))
        store.push_blob(Content.of(blob))
    store.put_manifest(found, tag)


def _only(blob: bytes) -> list[bytes]:
    return [blob]


def _layout(base: DigestReference) -> Layout:
    assert isinstance(base.location, Layout)
    return base.location


def test_a_base_of_the_same_oci_registry_is_mounted_and_kept_by_digest(
    tmp_path: Path, base: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    stands = Repository(oci_registry.host, f"{repository}-base")
    copy_base(base, OciRepository(stands), "stable")
    source = write(tmp_path / "model", tiny())
    before = len(oci_registry.asked())
    argv = ["build", f"file://{source}", "--to", f"{oci_registry.host}/{repository}:1", "--json"]
    built = told(modelcar(tmp_path, *argv, "--base", f"{stands}:stable"))

    asked = oci_registry.asked()[before:]
    assert len([line for line in asked if "mount=" in line]) == 1
    # The model's layer and the config; the base layer has moved nowhere.
    assert len(uploads(asked)) == 2
    assert built["bytes"]["reused"] == built["layers"][0]["size"]
    found = OciRepository(Repository(oci_registry.host, repository)).manifest("1")
    assert found is not None
    annotations = json.loads(found.content)["annotations"]
    assert annotations["org.opencontainers.image.base.digest"] == str(base.digest)
    assert annotations["org.opencontainers.image.base.name"] == str(stands)


def test_of_a_base_index_linux_amd64_is_taken(tmp_path: Path, base: DigestReference) -> None:
    store = OciLayout(Layout(tmp_path / "bases"))
    copy_base(base, store, "")
    other = assemble(Base(platform=ARM64), [], ModelSource("file", "/"), None)
    store.push_blob(Content.of(other.config))
    store.put_manifest(other.manifest, "")
    first, second = _entry(other.manifest, "arm64"), _entry(_manifest(store, base), "amd64")
    _put_index(store, [first, second], "both")
    _put_index(store, [first], "arm")
    source = write(tmp_path / "model", tiny())
    argv = ["build", f"file://{source}", "--to", "oci:layout:1", "--json", "--base"]

    done = modelcar(tmp_path, *argv, f"oci:{tmp_path}/bases:both")
    found = OciLayout(Layout(tmp_path / "layout")).manifest("1")

    assert len(told(done)["layers"]) == 2
    assert found is not None
    manifest = json.loads(found.content)
    config = tmp_path / "layout/blobs/sha256" / manifest["config"]["digest"].partition(":")[2]
    assert json.loads(config.read_bytes())["architecture"] == "amd64"
    refused(modelcar(tmp_path, *argv, f"oci:{tmp_path}/bases:arm"), "it has no linux/amd64")


def _manifest(store: ImageStore, base: DigestReference) -> RawManifest:
    found = store.manifest(base.digest)
    assert found is not None
    return found


def _entry(manifest: RawManifest, architecture: str) -> dict[str, Any]:
    platform = {"os": "linux", "architecture": architecture}
    size = len(manifest.content)
    named = {"mediaType": manifest.media_type, "digest": str(manifest.digest), "size": size}
    return {**named, "platform": platform}


def _put_index(store: ImageStore, manifests: list[dict[str, Any]], tag: str) -> None:
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}
    store.put_manifest(RawManifest(INDEX, json.dumps(index).encode()), tag)
