"""Temporary files: their own folder, closed to others, never where a link leads, and gone after."""

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcar import plan
from modelcar.errors import SourceError
from modelcar.hub import Hub
from modelcar.supply import Supply
from modelcar.values import Model, ModelSource
from modelcar.workfolder import WorkFolder
from tests.byte_path import MODELCAR, REPO, modelcar, surroundings, tiny, told, write
from tests.campaigns.trusting import HOST, kubeconfig
from tests.servers.certificate import self_signed
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer

# Notes what lies in the folder for temporary files, with its mode; then it is itself, or waits.
SKOPEO = """#!{python}
import json, os, sys, time
there = {temporary!r}
found = {{name: os.lstat(os.path.join(there, name)).st_mode for name in os.listdir(there)}}
with open({rows!r}, "a") as rows:
    rows.write(json.dumps(found) + "\\n")
if {waits}:
    time.sleep(60)
os.execv({real!r}, [{real!r}, *sys.argv[1:]])
"""


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def oci_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    with DockerRegistry(tmp_path_factory.mktemp("oci-registry")) as server:
        yield server


@pytest.fixture
def image(tmp_path: Path) -> str:
    write(tmp_path / "model", tiny())
    target = f"oci:{tmp_path}/image:1"
    argv = ("build", f"file://{tmp_path}/model", "--base", "scratch", "--to", target, "--json")
    found: str = told(modelcar(tmp_path, *argv))["reference"]
    return found


def skopeo(folder: Path, temporary: Path, *, waits: bool = False) -> dict[str, str]:
    """Put a program named skopeo first, and return the variables of a command that finds it."""
    place = folder / "bin"
    place.mkdir()
    real = subprocess.run(["which", "skopeo"], capture_output=True, text=True).stdout.strip()
    rows = str(folder / "rows")
    values = {"temporary": str(temporary), "rows": rows, "real": real, "waits": waits}
    (place / "skopeo").write_text(SKOPEO.format(python=sys.executable, **values))
    (place / "skopeo").chmod(0o755)
    return {"PATH": f"{place}:{os.environ['PATH']}", "TMPDIR": str(temporary)}


def seen(folder: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((folder / "rows").read_text().splitlines()[-1])
    return found


@pytest.mark.parametrize("well", [True, False])
def test_a_mirrors_folder_is_its_own_and_gone_after(
    well: bool, image: str, oci_registry: DockerRegistry, tmp_path: Path, temporary: Path
) -> None:
    source = image if well else f"{oci_registry.host}/none@sha256:{'ab' * 32}"
    variables = skopeo(tmp_path, temporary)
    done = modelcar(tmp_path, "mirror", source, f"{oci_registry.host}/a:1", **variables)
    assert (done.returncode == 0) is well, done.stderr
    ((name, mode),) = seen(tmp_path).items()
    assert mode & 0o777 == 0o700
    assert len(name.removeprefix("modelcar-")) == 8, "by chance, as mkdtemp(3) makes it"
    assert list(temporary.iterdir()) == []


def test_a_mirror_that_is_told_to_end_leaves_nothing(
    image: str, tmp_path: Path, temporary: Path
) -> None:
    variables = skopeo(tmp_path, temporary, waits=True)
    with subprocess.Popen(
        [MODELCAR, "mirror", image, "127.0.0.1:1/a:1"],
        env=surroundings(tmp_path, **variables),
        stderr=subprocess.PIPE,
    ) as process:
        while not (tmp_path / "rows").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("ok", [True, False])
def test_builds_and_downloads_leave_nothing(ok: bool, tmp_path: Path, temporary: Path) -> None:
    with HubServer({REPO: tiny()}) as hub:
        if not ok:
            hub.corrupt("model.safetensors", b"x")
        for verb in ("download", "build", "run", "plan"):
            to = {"build": ("--to", f"oci:{tmp_path}/image:1"), "run": ("--out", f"{tmp_path}/out")}
            base = ("--base", "scratch") if verb in ("build", "run") else ()
            variables = {"HF_ENDPOINT": hub.url, "TMPDIR": str(temporary)}
            modelcar(tmp_path, verb, f"hf://{REPO}", *to.get(verb, ()), *base, **variables)
    assert list(temporary.iterdir()) == []


def test_what_a_kubeconfig_has_inline_is_gone_after(tmp_path: Path, temporary: Path) -> None:
    """The client library writes the certificate and the key of a user into files."""
    certificate, key = (path.read_bytes() for path in self_signed(tmp_path / "tls", HOST))
    encoded = base64.b64encode(certificate).decode()
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", **{"certificate-authority-data": encoded})
    user = {"client-certificate-data": encoded, "client-key-data": base64.b64encode(key).decode()}
    path.write_text(
        path.read_text().replace("user:\n    token", f"user:\n    {json.dumps(user)}\n#")
    )
    variables = {"KUBECONFIG": str(path), "TMPDIR": str(temporary)}
    done = modelcar(tmp_path, "undeploy", "x", "-n", "y", **variables)
    assert done.returncode == 1, done.stderr
    assert list(temporary.iterdir()) == []


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """Whoever may write to a shared work folder could else have a file of ours written over."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    work = WorkFolder(tmp_path / "work")
    with HubServer({REPO: tiny()}) as server:
        hub = Hub(server.url)
        made = plan.make(Model("tiny", "1", ModelSource.parse(f"hf://{REPO}")), work, hub)
        file = made.files[-1]
        work.partial(file).parent.mkdir(parents=True)
        work.partial(file).symlink_to(victim)
        supply = Supply(made.source.at(made.commit), work, hub, keep=True)
        with pytest.raises(SourceError, match="symbolic links"):
            list(supply.read(file, 0))
    assert victim.read_bytes() == b"mine"


def test_a_planted_link_in_the_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    lying = tmp_path / "work" / "example--tiny"
    lying.mkdir(parents=True)
    (lying / "tokenizer.json").symlink_to(victim)
    with HubServer({REPO: tiny()}) as hub:
        told(modelcar(tmp_path, "download", f"hf://{REPO}", "--json", HF_ENDPOINT=hub.url))
    assert victim.read_bytes() == b"mine"
    assert not (lying / "tokenizer.json").is_symlink()
    assert (lying / "tokenizer.json").read_bytes() == tiny()["tokenizer.json"]
