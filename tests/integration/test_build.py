"""`modelcar build`: what the image holds, and that its digest follows from its content alone."""

import json
import os
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelcar.build import build
from modelcar.hub import Hub
from modelcar.oci.layout import OciLayout
from modelcar.oci.reference import DigestReference, Layout, Repository, TagReference
from modelcar.oci.registry import OciRepository
from modelcar.packing import Packing
from modelcar.values import Digest, Model, ModelSource
from modelcar.workfolder import WorkFolder
from tests.byte_path import (
    MODELCAR,
    REPO,
    below,
    chosen,
    modelcar,
    refused,
    surroundings,
    tiny,
    told,
    write,
)
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.hub import HubServer

FILES = tiny()
MODEL = f"hf://{REPO}"
ANOTHER_USER = (
    # The user may read everything, as the interpreter lies where only its owner may look.
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
SURROUNDINGS = [
    pytest.param((), {}, id="another folder"),
    pytest.param(("sh", "-c", 'umask 077; exec "$@"', "sh"), {}, id="umask 077"),
    pytest.param(("sh", "-c", 'umask 000; exec "$@"', "sh"), {"TZ": "Asia/Tokyo"}, id="umask 000"),
    pytest.param((), {"PYTHONHASHSEED": "1", "LC_ALL": "C"}, id="hash seed"),
    pytest.param(ANOTHER_USER, {}, id="another user"),
]


@pytest.fixture(scope="module")
def hub() -> Iterator[HubServer]:
    with HubServer({REPO: FILES}) as server:
        yield server


@pytest.fixture(scope="module")
def layout(
    hub: HubServer, base: DigestReference, tmp_path_factory: pytest.TempPathFactory
) -> DigestReference:
    """Return the image as the library builds it into an OCI layout."""
    folder = tmp_path_factory.mktemp("built")
    model = Model("tiny", "1", ModelSource.parse(MODEL))
    target = TagReference(Layout(folder / "layout"), "1")
    work = WorkFolder(folder / "work")
    built = build(model, target, work, Hub(hub.url), Packing(str(base)))
    return target.at(built.image.digest)


Build = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run_build(tmp_path: Path, hub: HubServer, base: DigestReference) -> Build:
    def run(target: str, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
        argv = ["build", MODEL, "--to", target, "--base", str(base), "--json", *options]
        return modelcar(tmp_path, *argv, HF_ENDPOINT=hub.url, **more)

    return run


def tagged(host: str, path: str, tag: str = "1") -> Digest | None:
    """Return what the tag names."""
    found = OciRepository(Repository(host, path)).manifest(tag)
    return found.digest if found else None


@pytest.mark.parametrize(("before", "environment"), SURROUNDINGS)
def test_the_digest_is_the_same_everywhere(
    before: tuple[str, ...],
    environment: dict[str, str],
    tmp_path: Path,
    run_build: Build,
    oci_registry: DockerRegistry,
    repository: str,
    layout: DigestReference,
) -> None:
    if before == ANOTHER_USER:
        if os.getuid() != 0:
            pytest.skip("only root may become another user")
        tmp_path.chmod(0o777)
    target = f"{oci_registry.host}/{repository}:1"

    built = told(run_build(target, before=before, **environment))

    assert built["digest"] == str(layout.digest)
    assert built["reference"] == f"{oci_registry.host}/{repository}@{layout.digest}"
    assert tagged(oci_registry.host, repository) == layout.digest


def test_the_files_clocks_and_modes_do_not_matter(
    tmp_path: Path, hub: HubServer, run_build: Build, layout: DigestReference
) -> None:
    done = modelcar(tmp_path, "download", MODEL, HF_ENDPOINT=hub.url)
    for path in Path(done.stdout.strip()).rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)

    assert told(run_build("oci:layout:1"))["digest"] == str(layout.digest)


def test_the_result_says_what_moved(run_build: Build) -> None:
    first, second = told(run_build("oci:layout:1")), told(run_build("oci:layout:1"))

    assert {"reference", "digest", "layers", "bytes", "seconds"} <= first.keys()
    assert [set(layer) for layer in first["layers"]] == [{"digest", "size", "paths"}] * 2
    assert [layer["paths"] for layer in first["layers"]] == [[], sorted(chosen(FILES))]
    size = sum(layer["size"] for layer in first["layers"])
    fetched = sum(map(len, chosen(FILES).values()))
    assert first["bytes"] == {"downloaded": fetched, "uploaded": size, "reused": 0}
    assert second["bytes"] == {"downloaded": 0, "uploaded": 0, "reused": size}
    assert (first["changed"], second["changed"]) == (True, False)
    assert 0 < first["seconds"] < 60


def skopeo(*argv: str) -> str:
    done = subprocess.run(["skopeo", *argv], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_skopeo_reads_and_copies_the_image(layout: DigestReference, tmp_path: Path) -> None:
    source, copy = f"{layout.location}:1", f"oci:{tmp_path}/copy:1"
    inspected = json.loads(skopeo("inspect", source))
    assert inspected["Digest"] == str(layout.digest)
    assert (inspected["Os"], inspected["Architecture"]) == ("linux", "amd64")
    assert inspected["Env"] == ["PATH=/bin"]

    skopeo("copy", "--all", "--preserve-digests", source, copy)

    assert json.loads(skopeo("inspect", copy))["Digest"] == str(layout.digest)
    assert json.loads(skopeo("inspect", copy))["Layers"] == inspected["Layers"]


def test_the_unpacked_image_holds_the_sources_bytes_and_nothing_else(
    layout: DigestReference, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    image = f"{layout.location}:1".removeprefix("oci:")
    argv = ["umoci", "unpack", "--rootless", "--image", image, str(bundle)]
    subprocess.run(argv, check=True, capture_output=True, timeout=60)

    root = bundle / "rootfs"
    assert sorted(path.name for path in root.iterdir()) == ["bin", "models"]
    assert below(root / "models") == chosen(FILES)
    for path in [root / "models", *(root / "models").rglob("*")]:
        mode = 0o755 if path.is_dir() else 0o644
        assert path.stat().st_mode & 0o7777 == mode, path


def test_the_layer_names_no_owner_and_no_time(layout: DigestReference) -> None:
    blobs = layout.location.folder / "blobs/sha256"  # type: ignore[union-attr]
    manifest = json.loads((blobs / layout.digest.hex).read_bytes())
    layer = blobs / manifest["layers"][-1]["digest"].removeprefix("sha256:")
    with tarfile.open(layer) as tar:
        members = tar.getmembers()

    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname) for m in members} == {(0, 0, 0, "", "")}
    files = [member.name for member in members if member.isfile()]
    assert files == sorted(f"models/{path}" for path in chosen(FILES))
    config = blobs / manifest["config"]["digest"].removeprefix("sha256:")
    assert "created" not in json.loads(config.read_bytes())


def test_the_manifest_names_source_commit_and_base(
    layout: DigestReference, hub: HubServer, base: DigestReference
) -> None:
    found = OciLayout(layout.location).manifest(layout.digest)  # type: ignore[arg-type]
    assert found is not None
    assert json.loads(found.content)["annotations"] == {
        "org.opencontainers.image.source": MODEL,
        "org.opencontainers.image.revision": hub.commit(REPO),
        "org.opencontainers.image.base.digest": str(base.digest),
        "org.opencontainers.image.licenses": "apache-2.0",
        "org.opencontainers.image.title": "tiny",
        "io.modelcar-pipelines.model.architecture": "LlamaForCausalLM",
        "io.modelcar-pipelines.model.dtypes": "U8=5864",
        "io.modelcar-pipelines.model.parameters": "5864",
    }


def test_a_folder_is_a_source_wherever_it_lies(tmp_path: Path, base: DigestReference) -> None:
    digests, layers = set(), set()
    for name in ("here", "there"):
        folder = write(tmp_path / name, FILES)
        argv = ["build", f"file://{folder}", "--to", f"oci:{name}-layout:1", "--json"]
        built = told(modelcar(tmp_path, *argv, "--base", str(base)))
        digests.add(built["digest"])
        layers.add(built["layers"][-1]["digest"])
        assert built["bytes"]["downloaded"] == 0
    assert len(digests) == len(layers) == 1


def test_a_folder_and_the_hub_give_the_same_layer(
    tmp_path: Path, base: DigestReference, layout: DigestReference
) -> None:
    source = write(tmp_path / "model", FILES)
    argv = ["build", f"file://{source}", "--to", "oci:other:1", "--base", str(base), "--json"]
    built = told(modelcar(tmp_path, *argv))

    found = OciLayout(layout.location).manifest(layout.digest)  # type: ignore[arg-type]
    assert found is not None
    assert built["layers"][-1]["digest"] == json.loads(found.content)["layers"][-1]["digest"]


def test_a_build_that_was_killed_goes_on_to_the_same_digest(
    tmp_path: Path,
    run_build: Build,
    hub: HubServer,
    base: DigestReference,
    oci_registry: DockerRegistry,
    repository: str,
    layout: DigestReference,
) -> None:
    with FaultyProxy(oci_registry.host) as proxy:
        proxy.drop("PUT", after=4096, hold=True)
        argv = ["build", MODEL, "--to", f"{proxy.host}/{repository}:1", "--base", str(base)]
        environment = surroundings(tmp_path, HF_ENDPOINT=hub.url)
        with subprocess.Popen([MODELCAR, *argv], cwd=tmp_path, env=environment) as process:
            assert proxy.held.wait(30)
            process.kill()
        assert process.returncode == -signal.SIGKILL
    assert tagged(oci_registry.host, repository) is None

    built = told(run_build(f"{oci_registry.host}/{repository}:1"))

    assert built["digest"] == str(layout.digest)


def test_wrong_bytes_from_the_hub_never_reach_the_oci_registry(
    tmp_path: Path, base: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    target = f"{oci_registry.host}/{repository}:1"
    with HubServer({REPO: FILES}) as hub:
        hub.corrupt("model.safetensors", lambda right: right[:-1] + b"\x01")
        argv = ["build", MODEL, "--to", target, "--base", str(base)]
        done = modelcar(tmp_path, *argv, HF_ENDPOINT=hub.url)

    refused(done, "model.safetensors of hf://example/tiny: its sha256 is sha256:", "download again")
    assert tagged(oci_registry.host, repository) is None
    asked = [line for line in oci_registry.asked() if f"/{repository}/blobs/uploads" in line]
    committed = [line for line in asked if line.startswith("PUT")]
    assert len(committed) == 1, "only the base layer is a blob: the files share the other"


def test_bytes_changed_on_disk_are_noticed_and_fetched_again(
    tmp_path: Path,
    hub: HubServer,
    run_build: Build,
    oci_registry: DockerRegistry,
    repository: str,
    layout: DigestReference,
) -> None:
    done = modelcar(tmp_path, "download", MODEL, HF_ENDPOINT=hub.url)
    weights = Path(done.stdout.strip(), "model.safetensors")
    stat = weights.stat()
    with weights.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"\x01")
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as a failing disk does it

    done = run_build(f"{oci_registry.host}/{repository}:1")

    assert told(done)["digest"] == str(layout.digest)
    assert "model.safetensors of hf://example/tiny: its sha256 is" in done.stderr
    assert "fetching it again" in done.stderr
    asked = [line for line in oci_registry.asked() if f"/{repository}/blobs/uploads" in line]
    committed = [line for line in asked if line.startswith("PUT")]
    assert len(committed) == 3, "the base layer, the files, the config"


def test_bytes_changed_in_a_folder_are_refused(
    tmp_path: Path, base: DigestReference, oci_registry: DockerRegistry, repository: str
) -> None:
    source = write(tmp_path / "model", FILES)
    argv = ["build", f"file://{source}", "--to", f"{oci_registry.host}/{repository}:1"]
    assert modelcar(tmp_path, *argv, "--base", str(base)).returncode == 0
    weights = source / "model.safetensors"
    stat = weights.stat()
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    argv[-1] = f"{oci_registry.host}/{repository}-other:1"
    done = modelcar(tmp_path, *argv, "--base", str(base))

    refused(done, f"model.safetensors of file://{source}: its sha256 is", "download again")
    assert tagged(oci_registry.host, f"{repository}-other") is None
