"""Each byte of each file is compared with the Hub's word, on whatever way it comes."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from modelcar import plan, retries
from modelcar.cli import main
from modelcar.hub import Hub
from modelcar.oci.reference import parse_tag
from modelcar.oci.store import open_store
from modelcar.values import Model, ModelSource
from modelcar.workfolder import WorkFolder
from tests.byte_path import REPO, below, chosen, safetensors, tiny
from tests.campaigns.extent import seeds
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer

FILES = chosen(tiny())
URI = f"hf://{REPO}"
WEIGHTS = "model.safetensors"
SEEDS = seeds(1, 25)
LYING = Path("work", "example--tiny")
Way = Callable[[Path], Result]


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(retries, "PAUSE", 0.001)
    monkeypatch.setenv("MODELCAR_WORKDIR", str(tmp_path / "work"))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    with HubServer({REPO: tiny()}) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.fixture(scope="module")
def oci_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with DockerRegistry(tmp_path_factory.mktemp("oci-registry")) as server:
        yield server


def flipped(content: bytes, seed: int) -> bytes:
    """Return the content with one bit another: of a byte that the seed chooses."""
    at = seed * 7919 % len(content)
    return content[:at] + bytes([content[at] ^ (1 << seed % 8)]) + content[at + 1 :]


def call(*argv: str) -> Result:
    return CliRunner().invoke(main, argv)


def download(folder: Path) -> Result:
    return call("download", URI)


def build(folder: Path, *options: str) -> Result:
    return call("build", URI, "--to", f"oci:{folder}/image:1", "--base", "scratch", *options)


def keep(folder: Path) -> Result:
    return build(folder, "--keep-files")


def in_parts(folder: Path) -> Result:
    return build(folder, "--chunk-size", "5Mi")


WAYS: dict[str, Way] = {one.__name__: one for one in (download, build, keep, in_parts)}


def digest(folder: Path) -> str:
    """Return the digest of the image in a folder, nothing where there is none."""
    found = open_store(parse_tag(f"oci:{folder}/image:1").location).manifest("1")
    return str(found.digest) if found else ""


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the digest of the image of the right bytes."""
    folder = tmp_path_factory.mktemp("right")
    with HubServer({REPO: tiny()}) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.url)
        patch.setenv("MODELCAR_WORKDIR", str(folder / "work"))
        assert build(folder).exit_code == 0
    return digest(folder)


def refused(done: Result, path: str) -> None:
    """Assert that a verb ended with the one line that names the file."""
    assert done.exit_code == 1, done.output
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("modelcar: ")]
    assert path in line, line
    assert not done.stdout


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("way", WAYS)
def test_a_flipped_bit_goes_into_no_image(
    way: str, path: str, seed: int, hub: HubServer, tmp_path: Path, right: str
) -> None:
    wrong = flipped(FILES[path], seed)
    hub.corrupt(path, wrong)
    for _ in range(2):  # what the first try left must not help the second
        refused(WAYS[way](tmp_path), path)
        # What is not whole may lie there: the next try reads it, and finds it wrong.
        stored = {name: data for name, data in below(tmp_path).items() if "/partial/" not in name}
        assert not [name for name, content in stored.items() if wrong in content]
        assert digest(tmp_path) == ""
    hub.corrupt(path, FILES[path])
    assert WAYS[way](tmp_path).exit_code == 0
    assert digest(tmp_path) == ("" if way == "download" else right)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("path", FILES)
def test_a_run_brings_no_flipped_bit_to_an_oci_registry(
    path: str, seed: int, hub: HubServer, oci_registry: DockerRegistry, tmp_path: Path
) -> None:
    place = f"{oci_registry.host}/{tmp_path.name.lower().replace('_', '-')}"
    site = tmp_path / "site.yaml"
    site.write_text(yaml.safe_dump({"oci_registry": place}))
    model = tmp_path / "tiny.yaml"
    model.write_text(yaml.safe_dump({"name": "tiny", "source": URI, "version": "1"}))
    wrong = flipped(FILES[path], seed)
    hub.corrupt(path, wrong)
    argv = ("run", str(model), "--site", str(site), "--out", str(tmp_path / "out"))
    done = call(*argv, "--base", "scratch", "--skip-preflight")
    refused(done, path)
    asked = [line for line in oci_registry.asked() if place.partition("/")[2] in line]
    assert not any(line.startswith("PUT ") and "/manifests/" in line for line in asked)
    blobs = below(oci_registry.folder / "storage" / "docker" / "registry" / "v2" / "blobs")
    assert not [name for name, content in blobs.items() if wrong in content]


def test_an_upload_that_proves_wrong_is_never_whole(
    oci_registry: DockerRegistry, tmp_path: Path
) -> None:
    """A layer that is too large for memory is on its way before its last byte is known."""
    large = safetensors(9 << 20)
    with HubServer({REPO: tiny(weights=large)}) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_ENDPOINT", server.url)
        server.corrupt(WEIGHTS, large[:-1] + b"\1")
        target = f"{oci_registry.host}/large/upload:1"
        refused(call("build", URI, "--to", target, "--base", "scratch"), WEIGHTS)
    asked = [line for line in oci_registry.asked() if "/large/upload/" in line]
    assert any(line.startswith("PATCH ") for line in asked)
    assert not any(line.startswith("PUT ") for line in asked if "/manifests/" in line)
    blobs = below(oci_registry.folder / "storage" / "docker" / "registry" / "v2" / "blobs")
    assert max(map(len, blobs.values()), default=0) < len(large)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("options", [(), ("--keep-files",)], ids=["straight", "keep"])
@pytest.mark.parametrize("path", FILES)
def test_a_file_changed_in_place_goes_into_no_image(
    path: str,
    options: tuple[str, ...],
    seed: int,
    hub: HubServer,
    tmp_path: Path,
    right: str,
) -> None:
    """Its size, its time and its inode are as they were: only its bytes tell."""
    assert build(tmp_path / "first", "--keep-files").exit_code == 0
    file = tmp_path / LYING / path
    before = file.stat()
    with file.open("r+b") as stream:
        stream.write(flipped(FILES[path], seed))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_mtime_ns == before.st_mtime_ns

    done = build(tmp_path / "second", *options)

    assert done.exit_code == 0, done.output
    assert digest(tmp_path / "second") == right


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("held", [1, 0.5])
def test_what_a_cut_left_is_not_believed(
    held: float, seed: int, hub: HubServer, tmp_path: Path, right: str
) -> None:
    """A killed process leaves a file half; something changes a byte of it meanwhile."""
    work = WorkFolder(tmp_path / "work")
    made = plan.make(Model("tiny", "1", ModelSource.parse(URI)), work, Hub(hub.url))
    (file,) = (file for file in made.files if file.path == WEIGHTS)
    part = work.partial(file)
    part.parent.mkdir(parents=True)
    part.write_bytes(flipped(FILES[WEIGHTS][: int(file.size * held)], seed))

    first = build(tmp_path, "--keep-files")
    assert first.exit_code == 0 or digest(tmp_path) == ""
    if first.exit_code:
        refused(first, WEIGHTS)

    assert build(tmp_path, "--keep-files").exit_code == 0
    assert digest(tmp_path) == right


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rest_that_is_wrong_after_a_cut_goes_into_no_image(
    seed: int, hub: HubServer, tmp_path: Path, right: str
) -> None:
    hub.cut(WEIGHTS, 3000)
    wrong = FILES[WEIGHTS][:3000] + flipped(FILES[WEIGHTS][3000:], seed)
    hub.corrupt(WEIGHTS, wrong)
    refused(build(tmp_path, "--keep-files"), WEIGHTS)
    assert digest(tmp_path) == ""
    hub.corrupt(WEIGHTS, FILES[WEIGHTS])
    assert build(tmp_path, "--keep-files").exit_code == 0
    assert digest(tmp_path) == right
