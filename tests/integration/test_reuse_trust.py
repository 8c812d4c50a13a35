"""Whose word a build takes for a layer: our own records, the target's only when asked, or none."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelcar.hub import Hub
from modelcar.oci import layer
from modelcar.oci.content import Content
from modelcar.oci.image import LAYER_KEY
from modelcar.oci.reference import DigestReference, Repository
from modelcar.oci.registry import OciRepository
from modelcar.oci.store import LAYER, MANIFEST, RawManifest
from modelcar.plan import make
from modelcar.values import Digest, Model, ModelSource, PlannedLayer
from modelcar.workfolder import WorkFolder
from tests.byte_path import REPO, modelcar, safetensors, tiny, told, write
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.hub import HubServer
from tests.servers.model_registry import ModelRegistryServer

URI = f"hf://{REPO}"
WEIGHTS = "model.safetensors"
LARGE = 64 * 1024 * 1024
FILES = tiny(weights=safetensors(LARGE))


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer({REPO: write(tmp_path_factory.mktemp("hub"), FILES)}) as server:
        yield server


@dataclass(frozen=True)
class Target:
    """One tag behind a proxy that counts."""

    proxy: FaultyProxy
    repository: str
    hub: HubServer
    base: str

    def build(self, folder: Path, *options: str, tag: str = "1") -> Any:
        folder.mkdir(exist_ok=True)
        target = f"{self.proxy.host}/{self.repository}:{tag}"
        argv = ["build", URI, "--to", target, "--base", self.base, "--json", *options]
        return told(modelcar(folder, *argv, HF_ENDPOINT=self.hub.url))

    @property
    def store(self) -> OciRepository:
        return OciRepository(Repository(self.proxy.host, self.repository))

    def weights(self) -> int:
        """Return how many bytes of the weights the Hub sent so far."""
        return sum(seen.sent for seen in self.hub.requests if seen.target.endswith(WEIGHTS))


@pytest.fixture
def target(
    oci_registry: DockerRegistry, base: DigestReference, hub: HubServer, repository: str
) -> Iterator[Target]:
    hub.requests.clear()
    with FaultyProxy(oci_registry.host) as proxy:
        yield Target(proxy, repository, hub, str(base))


def planned(hub: HubServer, work: Path) -> tuple[PlannedLayer, ...]:
    return make(Model("tiny", "1", ModelSource.parse(URI)), WorkFolder(work), Hub(hub.url)).layers


def plant(target: Target, hub: HubServer, work: Path, size: int | None = None) -> Digest:
    """Put an image at the target whose annotations give the right keys to wrong bytes."""
    entries, evil = [], b""
    for item in planned(hub, work):
        content = b"evil" * (item.size // 4) if size is None else b"evil" * (size // 4)
        digest = target.store.push_blob(Content.of(content))
        key = str(layer.key(item.files))
        named = {"mediaType": LAYER, "digest": str(digest), "size": len(content)}
        entries.append({**named, "annotations": {LAYER_KEY: key}})
        evil = content
    config = target.store.push_blob(Content.of(b"{}"))
    named = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "layers": entries}
    manifest["config"] = {**named, "digest": str(config)}
    target.store.put_manifest(RawManifest(MANIFEST, json.dumps(manifest).encode()), "1")
    return Digest(Content.of(evil).digest.hex)


def digests(built: Any) -> set[str]:
    return {entry["digest"] for entry in built["layers"]}


def test_a_targets_lies_are_not_believed(tmp_path: Path, target: Target, hub: HubServer) -> None:
    evil = plant(target, hub, tmp_path / "look")
    built = target.build(tmp_path / "mine")
    assert str(evil) not in digests(built)
    assert target.weights() == LARGE
    assert built["bytes"]["reused"] == 0


def test_a_trusted_target_is_taken_at_its_word(
    tmp_path: Path, target: Target, hub: HubServer
) -> None:
    evil = plant(target, hub, tmp_path / "look")
    assert str(evil) in digests(target.build(tmp_path / "mine", "--trust-target"))


def test_reading_a_reused_layer_finds_the_lie(
    tmp_path: Path, target: Target, hub: HubServer
) -> None:
    evil = plant(target, hub, tmp_path / "look")
    built = target.build(tmp_path / "mine", "--trust-target", "--verify-reused")
    assert str(evil) not in digests(built)
    assert built["digest"] == target.build(tmp_path / "other", tag="2")["digest"]


def test_a_trusted_target_saves_a_fresh_work_folder_every_weight(
    tmp_path: Path, target: Target
) -> None:
    first = target.build(tmp_path / "one")
    sent, fetched = target.proxy.received("PATCH"), target.weights()

    for number, options in enumerate(
        (["--trust-target"], ["--trust-target", "--verify-reused"]), start=2
    ):
        again = target.build(tmp_path / f"fresh-{number}", *options, tag=f"{number}")
        assert again["digest"] == first["digest"]
        assert again["bytes"]["uploaded"] == 0

    assert target.proxy.received("PATCH") == sent
    assert target.weights() == fetched


def test_without_trust_a_fresh_work_folder_sends_all_again(tmp_path: Path, target: Target) -> None:
    first = target.build(tmp_path / "one")
    again = target.build(tmp_path / "fresh", tag="2")
    assert again["digest"] == first["digest"]
    assert target.weights() == 2 * LARGE


def test_a_layer_is_asked_for_before_it_is_reused(tmp_path: Path, target: Target) -> None:
    built = target.build(tmp_path / "one")
    (weights,) = [entry["digest"] for entry in built["layers"] if entry["paths"] == [WEIGHTS]]
    target.proxy.fail(f"/blobs/{weights}", 404, times=2, method="HEAD")

    again = target.build(tmp_path / "one", tag="2")

    assert again["digest"] == built["digest"]
    assert target.weights() == 2 * LARGE


def test_layers_outlive_a_crash_before_the_manifest(tmp_path: Path, target: Target) -> None:
    argv = ["build", URI, "--to", f"{target.proxy.host}/{target.repository}:1"]
    target.proxy.fail("/manifests/1", 403, method="PUT")
    (tmp_path / "one").mkdir()
    done = modelcar(tmp_path / "one", *argv, "--base", target.base, HF_ENDPOINT=target.hub.url)
    assert done.returncode == 1
    assert target.store.manifest("1") is None
    sent, fetched = target.proxy.received("PATCH"), target.weights()
    assert fetched == LARGE

    built = target.build(tmp_path / "one")

    assert built["bytes"]["uploaded"] == 0
    assert (target.proxy.received("PATCH"), target.weights()) == (sent, fetched)


def test_an_annotation_of_another_size_is_passed_over(
    tmp_path: Path, target: Target, hub: HubServer
) -> None:
    evil = plant(target, hub, tmp_path / "look", size=4000)
    assert str(evil) not in digests(target.build(tmp_path / "mine", "--trust-target"))


def test_a_layer_of_our_own_record_that_proves_wrong_is_built_anew(
    tmp_path: Path, base: DigestReference, hub: HubServer
) -> None:
    argv = ["build", URI, "--to", "oci:layout:1", "--base", str(base), "--json"]
    built = told(modelcar(tmp_path, *argv, HF_ENDPOINT=hub.url))
    blob = tmp_path / "layout/blobs/sha256" / built["layers"][-1]["digest"].partition(":")[2]
    blob.write_bytes(blob.read_bytes()[:-1] + b"\x01")

    done = modelcar(tmp_path, *argv, "--verify-reused", HF_ENDPOINT=hub.url)

    assert "it is built anew" in done.stderr
    assert told(done)["digest"] == built["digest"]
    assert told(done)["bytes"]["uploaded"] == built["layers"][-1]["size"]


def named(registry: ModelRegistryServer, model: str, digest: object) -> None:
    """Let the Model Registry name the image of `digest` for `model`."""
    entity = registry.store.create("model", "", {"name": model})
    fields = {"name": "1", "registeredModelId": entity["id"]}
    version = registry.store.create("version", entity["id"], fields)
    uri = f"oci://elsewhere.example/models@{digest}"
    registry.store.create("artifact", version["id"], {"name": model, "uri": uri})


def test_an_image_that_the_model_registry_names_saves_a_fresh_work_folder_every_weight(
    tmp_path: Path, target: Target
) -> None:
    first = target.build(tmp_path / "one")
    sent, fetched = target.proxy.received("PATCH"), target.weights()
    with ModelRegistryServer() as registry:
        named(registry, "tiny", first["digest"])
        option = ("--model-registry", registry.url)
        again = target.build(tmp_path / "fresh", *option, tag="2")
        folder, place = tmp_path / "plan", f"{target.proxy.host}/{target.repository}:3"
        folder.mkdir()
        argv = ["plan", URI, "--to", place, "--json", *option]
        planned = told(modelcar(folder, *argv, HF_ENDPOINT=target.hub.url))

    assert again["digest"] == first["digest"]
    assert again["bytes"]["uploaded"] == 0
    assert planned["bytes"]["upload"] == 0
    assert target.proxy.received("PATCH") == sent
    assert target.weights() == fetched


def test_of_another_model_or_image_the_model_registry_is_no_source_of_trust(
    tmp_path: Path, target: Target, hub: HubServer
) -> None:
    evil = plant(target, hub, tmp_path / "look")
    with ModelRegistryServer() as registry:
        named(registry, "other", target.store.manifest("1").digest)  # type: ignore[union-attr]
        named(registry, "tiny", f"sha256:{'d' * 64}")
        built = target.build(tmp_path / "mine", "--model-registry", registry.url, tag="2")

    assert str(evil) not in digests(built)


def test_a_build_does_not_wait_for_a_model_registry_that_is_not_there(
    tmp_path: Path, target: Target
) -> None:
    with ModelRegistryServer() as registry:
        gone = registry.url
    (tmp_path / "mine").mkdir()
    place = f"{target.proxy.host}/{target.repository}:1"
    argv = ["build", URI, "--to", place, "--base", target.base, "--model-registry", gone]
    done = modelcar(tmp_path / "mine", *argv, HF_ENDPOINT=target.hub.url)

    assert done.returncode == 0, done.stderr
    assert "no earlier image is believed: reading the digests of tiny" in done.stderr
