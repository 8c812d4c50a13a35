"""From the Hub into the image: what is written where, what goes on after a cut or a kill."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcar.hub import Hub
from modelcar.oci.reference import DigestReference, Repository
from modelcar.oci.registry import OciRepository
from modelcar.packing import Packing
from modelcar.prepare import prepare
from modelcar.supply import Supply
from modelcar.values import Model, ModelSource
from modelcar.workfolder import WorkFolder
from tests.byte_path import (
    MODELCAR,
    REPO,
    below,
    chosen,
    modelcar,
    refused,
    safetensors,
    surroundings,
    tiny,
    told,
    write,
)
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.hub import HubServer

URI = f"hf://{REPO}"
WEIGHTS = "model.safetensors"
LARGE = 64 * 1024 * 1024
FILES = tiny(weights=safetensors(LARGE))
PART = 40 * 1024 * 1024


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer({REPO: write(tmp_path_factory.mktemp("hub"), FILES)}) as server:
        yield server


def asked(hub: HubServer, path: str) -> list[tuple[int, str, int]]:
    """Return status, range and bytes of each answer that gave bytes of a file."""
    ours = (seen for seen in hub.requests if seen.target.endswith(path) and seen.sent)
    return [(seen.status, seen.range, seen.sent) for seen in ours]


def snapshot(folder: Path) -> dict[str, bytes]:
    return below(folder / "work" / "example--tiny")


def build(
    folder: Path, hub: HubServer, target: str, base: DigestReference, *options: str
) -> "subprocess.CompletedProcess[str]":
    argv = ["build", URI, "--to", target, "--base", str(base), "--json", *options]
    return modelcar(folder, *argv, HF_ENDPOINT=hub.url)


def test_nothing_is_written_unless_it_is_asked_for(
    tmp_path: Path,
    hub: HubServer,
    base: DigestReference,
    oci_registry: DockerRegistry,
    repository: str,
) -> None:
    target = f"{oci_registry.host}/{repository}"
    straight = told(build(tmp_path, hub, f"{target}:1", base))
    assert snapshot(tmp_path) == {}

    kept = told(build(tmp_path, hub, f"{target}-other:1", base, "--keep-files"))
    assert kept["digest"] == straight["digest"]
    assert kept["bytes"]["downloaded"] == straight["bytes"]["downloaded"]
    assert snapshot(tmp_path) == chosen(FILES)
    assert not list((tmp_path / "work/.modelcar/partial").iterdir())

    hub.requests.clear()
    released = told(build(tmp_path, hub, f"{target}-third:1", base, "--release-files"))
    assert released["digest"] == straight["digest"]
    assert released["bytes"]["downloaded"] == 0
    assert asked(hub, WEIGHTS) == []
    assert snapshot(tmp_path) == {}


def test_release_leaves_a_folder_that_is_the_source_alone(
    tmp_path: Path, base: DigestReference
) -> None:
    source = write(tmp_path / "model", tiny())
    argv = ["build", f"file://{source}", "--to", "oci:layout:1", "--base", str(base)]
    assert modelcar(tmp_path, *argv, "--release-files").returncode == 0
    assert below(source) == tiny()


def test_a_cut_at_the_hub_costs_no_byte_twice(
    tmp_path: Path,
    base: DigestReference,
    oci_registry: DockerRegistry,
    repository: str,
    hub: HubServer,
) -> None:
    hub.requests.clear()
    hub.cut(WEIGHTS, after=PART)
    built = told(build(tmp_path, hub, f"{oci_registry.host}/{repository}:1", base))
    (first, second) = asked(hub, WEIGHTS)
    assert first == (200, "", PART)
    assert second[:2] == (206, f"bytes={PART}-")
    assert built["bytes"]["downloaded"] == sum(map(len, chosen(FILES).values()))


def test_a_cut_at_the_oci_registry_sends_no_byte_twice(
    tmp_path: Path,
    base: DigestReference,
    oci_registry: DockerRegistry,
    repository: str,
    hub: HubServer,
) -> None:
    with FaultyProxy(oci_registry.host, resumable=True) as proxy:
        straight = told(build(tmp_path, hub, f"{proxy.host}/{repository}-other:1", base))
        whole = proxy.received("PATCH")
        (tmp_path / "work/.modelcar/layers.jsonl").unlink()
        proxy.drop("PATCH", PART, of="upload")
        built = told(build(tmp_path, hub, f"{proxy.host}/{repository}:1", base))
        assert proxy.received("PATCH") == 2 * whole
    assert built["layers"] == straight["layers"]


def test_a_killed_build_goes_on_with_its_upload(
    tmp_path: Path,
    base: DigestReference,
    oci_registry: DockerRegistry,
    repository: str,
    hub: HubServer,
) -> None:
    with FaultyProxy(oci_registry.host, resumable=True) as proxy:
        target = f"{proxy.host}/{repository}:1"
        proxy.drop("PATCH", PART, of="upload", hold=True)
        argv = ["build", URI, "--to", target, "--base", str(base)]
        environment = surroundings(tmp_path, HF_ENDPOINT=hub.url)
        with subprocess.Popen([MODELCAR, *argv], cwd=tmp_path, env=environment) as process:
            assert proxy.held.wait(60)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        uploads = [seen for seen in proxy.requests if seen.method == "POST"]
        again = told(build(tmp_path, hub, target, base))
        received = proxy.received("PATCH")
        opened = [seen for seen in proxy.requests if seen.method == "POST"]

    config = 1
    assert len(opened) == len(uploads) + config, "the layer's upload was not opened anew"
    store = OciRepository(Repository(oci_registry.host, repository))
    found = store.manifest("1")
    assert found is not None
    assert str(found.digest) == again["digest"]
    (weights,) = [layer["size"] for layer in again["layers"] if layer["paths"] == [WEIGHTS]]
    assert received == weights, "what is small goes in its PUT"


def test_a_killed_download_goes_on_within_the_file(tmp_path: Path, hub: HubServer) -> None:
    hub.requests.clear()
    partial = tmp_path / "work/.modelcar/partial"
    partial.mkdir(parents=True)
    files = Hub(hub.url).listing(ModelSource.parse(URI)).files
    (weights,) = [file for file in files if file.path == WEIGHTS]
    # What a killed process leaves: the bytes so far.
    WorkFolder(tmp_path / "work").partial(weights).write_bytes(FILES[WEIGHTS][:PART])

    done = told(modelcar(tmp_path, "download", URI, "--json", HF_ENDPOINT=hub.url))

    assert asked(hub, WEIGHTS) == [(206, f"bytes={PART}-", LARGE - PART)]
    assert done["downloaded"] == sum(map(len, chosen(FILES).values())) - PART
    assert snapshot(tmp_path) == chosen(FILES)
    assert not list(partial.iterdir())


def test_what_a_kill_left_damaged_is_fetched_anew(tmp_path: Path, hub: HubServer) -> None:
    partial = tmp_path / "work/.modelcar/partial"
    partial.mkdir(parents=True)
    model = Model("tiny", "1", ModelSource.parse(URI))
    made = prepare(model, WorkFolder(tmp_path / "work"), Hub(hub.url), None, Packing())
    (weights,) = [file for file in made.files if file.path == WEIGHTS]
    path = WorkFolder(tmp_path / "work").partial(weights)
    path.write_bytes(FILES[WEIGHTS][:PART] + b"\x01")

    done = modelcar(tmp_path, "download", URI, HF_ENDPOINT=hub.url)

    assert done.returncode == 0, done.stderr
    assert "fetching it again" in done.stderr
    assert snapshot(tmp_path) == chosen(FILES)


def test_two_who_fetch_one_file_do_not_mix(tmp_path: Path, hub: HubServer) -> None:
    model = Model("tiny", "1", ModelSource.parse(URI))
    work = WorkFolder(tmp_path / "work")
    made = prepare(model, work, Hub(hub.url), None, Packing())
    (weights,) = [file for file in made.files if file.path == WEIGHTS]
    source = made.source.at(made.commit)
    first, second = (Supply(source, work, Hub(hub.url), keep=True) for _ in range(2))
    mine, theirs = first.read(weights, 0), second.read(weights, 0)
    pairs = [(next(mine), next(theirs)) for _ in range(3)]
    assert all(a == b for a, b in pairs)
    assert b"".join(block for _, block in pairs) + b"".join(theirs) == FILES[WEIGHTS]
    assert b"".join(block for block, _ in pairs) + b"".join(mine) == FILES[WEIGHTS]


def test_a_bad_safetensors_header_never_becomes_a_layer(
    tmp_path: Path, base: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    bad = FILES[WEIGHTS].replace(b'"U8"', b'"X8"', 1)
    with HubServer({REPO: {**FILES, WEIGHTS: bad}}) as hub:
        done = build(tmp_path, hub, f"{oci_registry.host}/{repository}:1", base)
        assert sum(sent for *_, sent in asked(hub, WEIGHTS)) < LARGE
    name = f"{WEIGHTS} of {URI}"
    refused(done, f"{name}: its header cannot be used", "'X8'", "leave it out with --exclude")
    assert OciRepository(Repository(oci_registry.host, repository)).manifest("1") is None


def test_a_layer_above_the_limit_is_refused_in_the_plan(tmp_path: Path, hub: HubServer) -> None:
    hub.requests.clear()
    limit = ("--max-layer-size", "50Mi")
    done = modelcar(tmp_path, "plan", URI, *limit, HF_ENDPOINT=hub.url)
    refused(done, f"layer of {WEIGHTS}: it has 67.1 MB, the target takes 52.4 MB", "in shards")
    assert asked(hub, WEIGHTS) == []


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--chunk-size", "1Mi"), ("--chunk-size", "must be 5Mi or more")),
        (("--chunk-size", "100MB"), ("'100MB' is no size; try 100Mi",)),
        (("--platform", "linux/amd46"), ("platform 'linux/amd46'", "linux/amd64")),
    ],
)
def test_options_that_cannot_be_used_are_said(
    tmp_path: Path, base: DigestReference, options: tuple[str, ...], parts: tuple[str, ...]
) -> None:
    source = write(tmp_path / "model", tiny())
    argv = ["build", f"file://{source}", "--to", "oci:layout:1", "--base", str(base), *options]
    done = modelcar(tmp_path, *argv)
    assert done.returncode == 2
    assert all(part in done.stderr for part in parts), done.stderr
    assert "Traceback" not in done.stderr


def test_an_index_shares_the_models_layers(
    tmp_path: Path, oci_registry: DockerRegistry, repository: str
) -> None:
    source = write(tmp_path / "model", tiny())
    target = f"{oci_registry.host}/{repository}:1"
    platforms = ("--platform", "linux/amd64", "--platform", "linux/arm64")
    argv = ["build", f"file://{source}", "--to", target, "--base", "scratch", "--json", *platforms]
    first, second = told(modelcar(tmp_path, *argv)), told(modelcar(tmp_path, *argv))

    assert first["digest"] == second["digest"]
    assert (first["changed"], second["changed"]) == (True, False)
    store = OciRepository(Repository(oci_registry.host, repository))
    top = store.manifest("1")
    assert top is not None
    entries = json.loads(top.content)["manifests"]
    assert [entry["platform"]["architecture"] for entry in entries] == ["amd64", "arm64"]
    raw = ["skopeo", "inspect", "--tls-verify=false", "--raw"]
    layers = []
    for entry in entries:
        image = f"docker://{oci_registry.host}/{repository}@{entry['digest']}"
        done = subprocess.run([*raw, image], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        layers.append(json.loads(done.stdout)["layers"])
    assert layers[0] == layers[1]


def test_sums_are_those_of_the_listing_though_the_upload_broke(
    tmp_path: Path, base: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    """Cut both ways within one file whose last byte is wrong: it must not pass."""
    wrong = FILES[WEIGHTS][:-1] + b"\x01"
    with (
        HubServer({REPO: FILES}) as hub,
        FaultyProxy(oci_registry.host, resumable=True) as proxy,
    ):
        hub.corrupt(WEIGHTS, wrong)
        hub.cut(WEIGHTS, after=PART // 2)
        proxy.drop("PATCH", PART, of="upload")
        done = build(tmp_path, hub, f"{proxy.host}/{repository}:1", base)
    refused(done, f"{WEIGHTS} of {URI}: its sha256 is")
    assert OciRepository(Repository(oci_registry.host, repository)).manifest("1") is None


def test_files_of_one_checksum_are_kept_both(tmp_path: Path, base: DigestReference) -> None:
    files = {**tiny(), "a/config.json": b'{"same": 1}', "b/config.json": b'{"same": 1}'}
    with HubServer({REPO: files}) as hub:
        done = build(tmp_path, hub, "oci:layout:1", base, "--keep-files")
    assert done.returncode == 0, done.stderr
    assert snapshot(tmp_path) == chosen(files)


def test_kept_files_are_not_fetched_twice_though_the_upload_broke(
    tmp_path: Path,
    base: DigestReference,
    oci_registry: DockerRegistry,
    repository: str,
    hub: HubServer,
) -> None:
    hub.requests.clear()
    with FaultyProxy(oci_registry.host, resumable=True) as proxy:
        proxy.drop("PATCH", PART, of="upload")
        target = f"{proxy.host}/{repository}:1"
        built = told(build(tmp_path, hub, target, base, "--keep-files"))
    assert (
        sum(sent for *_, sent in asked(hub, WEIGHTS)) < LARGE + 16 * 1024 * 1024
    )  # what was on its way
    assert built["bytes"]["downloaded"] == sum(map(len, chosen(FILES).values()))
    assert snapshot(tmp_path) == chosen(FILES)
    assert not list((tmp_path / "work/.modelcar/partial").iterdir())


def test_an_interrupt_ends_a_build_between_two_blocks(
    tmp_path: Path,
    base: DigestReference,
    oci_registry: DockerRegistry,
    repository: str,
    hub: HubServer,
) -> None:
    with FaultyProxy(oci_registry.host) as proxy:
        gate = proxy.stall("PATCH", PART, of="upload")
        argv = ["build", URI, "--to", f"{proxy.host}/{repository}:1", "--base", str(base)]
        environment = surroundings(tmp_path, HF_ENDPOINT=hub.url)
        with subprocess.Popen([MODELCAR, *argv], cwd=tmp_path, env=environment) as process:
            assert gate.reached.wait(60)
            process.send_signal(signal.SIGINT)
            gate.release()
            process.wait(60)
    assert process.returncode == 130
    store = OciRepository(Repository(oci_registry.host, repository))
    assert store.manifest("1") is None


def test_a_token_that_is_none_is_refused_and_not_repeated(tmp_path: Path, hub: HubServer) -> None:
    done = modelcar(tmp_path, "plan", URI, HF_ENDPOINT=hub.url, HF_TOKEN="hf_C4naryBird\nnote")
    refused(done, "the Hub's token: it holds a line break", "HF_TOKEN", code=2)
    assert "hf_C4naryBird" not in done.stderr
