"""The runtime image's own steps, and its commands in a cage as tight as a pod; UBI is missing."""

import dataclasses
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.utils import canonicalize_name

from components._pins import closure
from modelcar.bootstrap.rights import rules
from tests import canary
from tests.cage import UID, Cage, loopback_only, refusal
from tests.containerfile import Containerfile
from tests.pipeline.compiled_file import ROOT, CompiledPipeline
from tests.pipeline.host_runner import Run
from tests.pipeline.whole_cluster import make_claim
from tests.pipeline.world import NAME, REPO, World, start
from tests.servers import openshift
from tests.servers.kserve import KServe
from tests.servers.kube import KubeServer, kube_server
from tests.servers.vllm import VllmServer
from tests.serving_site import Site

IMAGE = Containerfile.read()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIME = f"registry.example.com/team/modelcar@sha256:{'ab' * 32}"
PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
VENVS_OWN = {"pip", "setuptools"}
LISTING = """
import importlib.metadata, json
print(json.dumps({one.name: one.version for one in importlib.metadata.distributions()}))
"""
FOREIGN = """
import sys
before = set(sys.modules)
import kfp.dsl.executor_main
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(names - sys.stdlib_module_names))
"""
REACH = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.connect(("192.0.2.1", 9))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an environment made by the steps of the image from the files copied into it."""
    context = tmp_path_factory.mktemp("context")
    folder = tmp_path_factory.mktemp("image") / "app-root"
    IMAGE.copy(context)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, umask=0o022)
    done = subprocess.run(
        ["bash", context / "scripts/install-image.sh"],
        env=_without("PIP_CONSTRAINT", "PYTHONPATH") | {"PYTHON": str(folder / "bin/python3")},
        umask=0o077,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def world(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return servers that are alone on their network, and a cage in which the image's parts lie."""
    if why := refusal():
        pytest.skip(f"this machine keeps no command in namespaces of its own: {why}")
    folder = tmp_path_factory.mktemp("world")
    pipeline = _compiled(folder / "compiled")
    with loopback_only(), start(folder) as found:
        found.volume.chmod(0o775)  # the group is 0 here and there
        shown = [installed, found.auth_file.parent, *_python()]
        cage = Cage(tmp_path_factory.mktemp("root"), found.volume, shown, _environment(installed))
        yield dataclasses.replace(found, pipeline=pipeline, cage=cage)


@pytest.fixture(scope="module")
def cage(world: World) -> Cage:
    assert world.cage is not None
    return world.cage


@pytest.fixture(scope="module")
def first(world: World) -> Run:
    """Return a run with every target, deployed to a file."""
    done = world.run("first")
    assert done.succeeded, done.log
    return done


@pytest.fixture
def site(
    world: World, kube_parts: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """Return a namespace in which KServe works, on the network of `world`."""
    assets, definitions = kube_parts
    with (
        kube_server(assets, tmp_path_factory.mktemp("caged-kube")) as server,
        VllmServer(NAME) as vllm,
    ):
        openshift.install(server, definitions)
        server.request("POST", "/api/v1/namespaces", {"metadata": {"name": "caged"}})
        make_claim(server, "caged")
        found = Site(server, "caged", vllm)
        found.add_runtime()
        with KServe(server, found.namespace, vllm.url):
            yield found


def _without(*names: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in names}


def _environment(installed: Path) -> dict[str, str]:
    """Return the image's variables, with its environment where it lies here."""
    return {
        name: value.replace("/opt/app-root", str(installed)).replace("$PATH", PATHS)
        for name, value in IMAGE.pairs("ENV").items()
    }


def _python() -> list[Path]:
    """Return where this machine's Python lies, unless that is among its programs anyway."""
    base = Path(sys.base_prefix)
    return [] if base.is_relative_to("/usr") else [base]


def _compiled(folder: Path) -> Path:
    argv = ["-m", "scripts.compile", "--runtime-image", RUNTIME, "--out", str(folder)]
    subprocess.run([sys.executable, *argv], cwd=ROOT, check=True, capture_output=True)
    return folder / "modelcar.yaml"


def _kubeconfig(server: KubeServer, cage: Cage, folder: Path, user: str = "admin") -> Cage:
    """Return a cage that finds a kubeconfig file, as a pod finds its service account."""
    folder.mkdir()
    ca, config = folder / "ca.crt", canary.planted(folder / "config")
    ca.write_bytes(server.ca_file.read_bytes())
    text = server.kubeconfig(user, namespace="caged").read_text()
    config.write_text(text.replace(str(server.ca_file), str(ca)))
    environment = {**cage.environment, "KUBECONFIG": str(config)}
    return dataclasses.replace(cage, shown=[*cage.shown, folder], environment=environment)


def test_it_holds_the_project_its_closure_and_kfp_and_nothing_more(installed: Path) -> None:
    expected = dict(line.split("==") for line in closure(PROJECT["dependencies"]))
    expected |= {PROJECT["name"]: PROJECT["version"], "kfp": metadata.version("kfp")}

    listed = subprocess.run(
        [installed / "bin/python3", "-I", "-c", LISTING], capture_output=True, check=True
    )

    found = {canonicalize_name(name): text for name, text in json.loads(listed.stdout).items()}
    assert {name: found[name] for name in found.keys() - VENVS_OWN} == expected


def test_every_file_is_readable_by_any_uid(installed: Path) -> None:
    found = [installed, *installed.rglob("*")]
    needed = {path: 0o005 if path.is_dir() else 0o004 for path in found}
    assert len(found) > 1000
    assert [path for path in found if path.stat().st_mode & needed[path] != needed[path]] == []


def test_the_cage_is_one(cage: Cage, installed: Path) -> None:
    ids = cage.run("sh", "-c", "id -u; id -g; id -G")
    status = dict(
        line.split(":\t") for line in cage.run("cat", "/proc/self/status").stdout.splitlines()
    )

    assert ids.stdout.split() == [str(UID), "0", "0"]
    capabilities = {name: int(text, 16) for name, text in status.items() if name.startswith("Cap")}
    assert capabilities == dict.fromkeys(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"], 0)
    assert status["NoNewPrivs"] == "1"
    for folder in ("/", "/usr", "/etc", "/dev", installed, installed / "bin"):
        refused = cage.run("touch", f"{folder}/new")
        assert refused.stderr.strip().endswith("Read-only file system"), refused
    for folder in ("/tmp", cage.volume):
        assert cage.run("touch", f"{folder}/new").returncode == 0
    assert cage.run("ls", str(ROOT)).returncode != 0
    assert "Network is unreachable" in cage.run("python3", "-c", REACH).stderr
    interfaces = cage.run("cat", "/proc/net/dev").stdout.splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]


def test_kfps_executor_needs_nothing_but_kfp(cage: Cage) -> None:
    done = cage.run("python3", "-c", FOREIGN, _KFP_RUNTIME="true")
    assert done.stdout.split() == ["kfp"], done.stderr


def test_every_stage_runs_there(world: World, first: Run) -> None:
    pipeline = CompiledPipeline(world.pipeline)
    assert {one.container["image"] for one in pipeline.executors.values()} == {RUNTIME}
    assert not any("pip " in one.text for one in pipeline.executors.values())

    states = {name: record["status"] for name, record in world.records("first").items()}
    assert states == {
        **dict.fromkeys(["plan", "download", "build", "mirror", "register"], "succeeded"),
        **{"deploy": "rendered", "verify": "skipped"},
    }
    digest = world.digest_at(f"models/{NAME}")
    assert world.digest_at(f"mirror/{NAME}") == digest == first.output("mirror", "digest")
    (artifact,) = world.model_registry.store.all("artifact")
    assert artifact["uri"].endswith(f"/models/{NAME}@{digest}")
    assert {path.stat().st_uid for path in [world.work, *world.work.rglob("*")]} == {UID}
    assert (first.outputs / "report" / "page").stat().st_uid == UID


def test_an_endpoint_is_deployed_and_verified_from_there(
    world: World, cage: Cage, site: Site, tmp_path: Path
) -> None:
    able = _kubeconfig(site.server, cage, tmp_path / "account")

    done = dataclasses.replace(world, cage=able).run("served", deploy_model="true")

    assert done.succeeded, done.log
    records = world.records("served")
    assert (records["deploy"]["status"], records["verify"]["status"]) == ("succeeded",) * 2
    (service,) = site.server.request("GET", site.path)["items"]
    uri = service["spec"]["predictor"]["model"]["storageUri"]
    assert uri.endswith(world.digest_at(f"models/{NAME}"))


def test_rights_that_are_missing_end_the_run_in_its_first_task(
    world: World, cage: Cage, site: Site, tmp_path: Path
) -> None:
    site.server.grant(site.namespace, *(rule for rule in rules("namespace") if _of_another(rule)))
    bound = _kubeconfig(site.server, cage, tmp_path / "account", "pipeline")

    done = dataclasses.replace(world, cage=bound).run("bound", deploy_model="true")

    assert not done.succeeded
    assert {folder.name for folder in done.outputs.iterdir()} == {"plan", "report"}
    assert "preflight: failed  rights: the account that asks may not get infer" in done.log
    assert 'resources: ["inferenceservices"], verbs: ["get"]}' in done.log
    assert "may not get inferenceservices" in done.left["plan"]


def _of_another(rule: Mapping[str, Any]) -> bool:
    return "inferenceservices" not in rule["resources"]


def test_the_command_line_runs_there(world: World, cage: Cage) -> None:
    told = {"HF_ENDPOINT": world.hub.url, "REGISTRY_AUTH_FILE": str(world.auth_file)}
    host, folder = world.oci_registry.host, world.volume
    targets = {"oci_registry": f"{host}/command", "mirror": f"{host}/copies"}
    settings = {"hub": world.hub.url, "images": {"base": world.base}, **targets}
    (folder / "site.yaml").write_text(yaml.safe_dump(settings))
    places = ("--site", f"{folder}/site.yaml", "--out", f"{folder}/out")

    version = cage.run("modelcar", "--version")
    plan = cage.run("modelcar", "plan", f"hf://{REPO}", **told)
    run = cage.run("modelcar", "run", f"hf://{REPO}", *places, "--json", **told)

    assert version.stdout.strip().endswith(f"version {PROJECT['version']}"), version.stderr
    assert "model.safetensors" in plan.stdout, plan.stderr
    assert run.returncode == 0, run.stderr
    summary = json.loads(run.stdout)
    assert summary["mirror"] == f"{host}/copies/{NAME}@{summary['digest']}"


def test_told_nothing_it_shows_the_help(cage: Cage) -> None:
    done = cage.run(*IMAGE.command)
    assert done.stdout.startswith("Usage: modelcar"), done.stderr
