"""`modelcar run`: every stage in one process, with all targets, with none, and failing."""

import json
import os
import secrets
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.byte_path import safetensors
from tests.servers import busybox_base
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.kserve import KServe
from tests.servers.kube import KubeServer
from tests.servers.model_registry import ModelRegistryServer
from tests.servers.vllm import VllmServer
from tests.serving_site import Site

MODELCAR = str(Path(sys.executable).parent / "modelcar")
REPO = "example/tiny"
FILES = {
    "README.md": b"---\nlicense: apache-2.0\n---\n# tiny\n",
    "config.json": b'{"architectures": ["LlamaForCausalLM"]}',
    "model.safetensors": safetensors(7008),
    "tokenizer.json": b"{}",
}


def run(
    folder: Path, hub: HubServer, site: dict[str, Any] | None, *options: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the model with this site file; the base is busybox on this machine's disk."""
    base = busybox_base.make(folder / "base")
    settings = {"hub": hub.url, "images": {"base": str(base)}, **(site or {})}
    (folder / "site.yaml").write_text(yaml.safe_dump(settings))
    command = [MODELCAR, "run", f"hf://{REPO}", "--site", "site.yaml", "--out", "out", *options]
    return subprocess.run(
        [*command, "--workdir", "work"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100", **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


def states(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return {stage["name"]: stage["status"] for stage in json.loads(done.stdout)["stages"]}


def test_every_stage_hands_on_one_digest(tmp_path: Path) -> None:
    with (
        HubServer({REPO: FILES}) as hub,
        DockerRegistry(tmp_path / "registry") as oci_registry,
        ModelRegistryServer() as model_registry,
    ):
        site = {
            "oci_registry": f"{oci_registry.host}/models",
            "mirror": f"{oci_registry.host}/mirror",
            "model_registry": model_registry.url,
        }
        first = run(tmp_path, hub, site, "--json")
        writes = len(model_registry.writes)
        second = run(tmp_path, hub, site, "--json")
        assert len(model_registry.writes) == writes

    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert told["status"] == "succeeded"
    assert {"digest", "mirror", "version", "endpoint"} <= told.keys()
    assert told["mirror"] == f"{oci_registry.host}/mirror/tiny@{told['digest']}"
    assert told["registered"] == f"oci://{oci_registry.host}/models/tiny@{told['digest']}"
    manifest = yaml.safe_load((tmp_path / "out/inferenceservice.yaml").read_text())
    assert manifest["spec"]["predictor"]["model"]["storageUri"] == told["registered"]
    assert json.loads(second.stdout)["digest"] == told["digest"]
    assert "nothing changed" in json.loads(second.stdout)["stages"][0]["detail"]


def test_without_targets_everything_is_written_to_the_folder(tmp_path: Path) -> None:
    with HubServer({REPO: FILES}) as hub:
        done = run(tmp_path, hub, None, "--json")

    assert done.returncode == 0, done.stderr
    assert states(done) == {
        "plan": "succeeded",
        "download": "skipped",
        "build": "succeeded",
        "mirror": "skipped",
        "register": "rendered",
        "deploy": "skipped",
    }
    digest = json.loads(done.stdout)["digest"]
    registration = json.loads((tmp_path / "out/registration.json").read_text())
    tag = f"1-{hub.commit(REPO)[:7]}"
    assert "is not shown" not in done.stderr
    assert registration["uri"] == f"oci:{tmp_path}/out/image:{tag}@{digest}"
    inspected = subprocess.run(
        [
            "skopeo",
            "inspect",
            "--format",
            "{{.Digest}}",
            f"oci:{tmp_path}/out/image:{tag}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert inspected.stdout.strip() == digest


def test_an_endpoint_that_answers_is_recorded_at_its_version(
    tmp_path: Path, kube: KubeServer
) -> None:
    namespace = f"ml-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    with (
        HubServer({REPO: FILES}) as hub,
        DockerRegistry(tmp_path / "registry") as oci_registry,
        ModelRegistryServer() as model_registry,
        VllmServer("tiny") as vllm,
        KServe(kube, namespace, vllm.url),
    ):
        Site(kube, namespace, vllm).add_runtime()
        site = {
            "oci_registry": f"{oci_registry.host}/models",
            "model_registry": model_registry.url,
            "namespace": namespace,
        }
        kubeconfig = {"KUBECONFIG": str(kube.kubeconfig(namespace=namespace))}
        first = run(tmp_path, hub, site, "--follow", "--json", **kubeconfig)
        writes = len(model_registry.writes)
        second = run(tmp_path, hub, site, "--follow", "--json", **kubeconfig)
        assert len(model_registry.writes) == writes
        (version,) = model_registry.store.all("version")

    assert first.returncode == 0, first.stderr
    assert states(first)["verify"] == states(second)["verify"] == "succeeded"
    told, properties = json.loads(first.stdout), version["customProperties"]
    found = {name: item["string_value"] for name, item in properties.items()}
    assert version["name"] == f"1-{hub.commit(REPO)[:7]}"
    assert (found["verified_digest"], found["verified_url"]) == (told["digest"], vllm.url)
    assert found["verified_at"] <= f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert (found["architecture"], found["license"]) == ("LlamaForCausalLM", "apache-2.0")


def test_of_an_image_in_a_folder_its_mirror_is_registered_and_served(tmp_path: Path) -> None:
    with (
        HubServer({REPO: FILES}) as hub,
        DockerRegistry(tmp_path / "registry") as oci_registry,
        ModelRegistryServer() as model_registry,
    ):
        mirror = f"{oci_registry.host}/mirror"
        done = run(
            tmp_path, hub, {"mirror": mirror, "model_registry": model_registry.url}, "--json"
        )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["registered"] == f"oci://{mirror}/tiny@{told['digest']}"
    manifest = yaml.safe_load((tmp_path / "out/inferenceservice.yaml").read_text())
    assert manifest["spec"]["predictor"]["model"]["storageUri"] == told["registered"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with HubServer({REPO: FILES}) as hub:
        done = run(tmp_path, hub, None, "--out", "file/out")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("modelcar: record of plan: Not a directory; check the rights")


def test_summary_for_people_names_the_report(tmp_path: Path) -> None:
    with HubServer({REPO: FILES}) as hub:
        done = run(tmp_path, hub, None)

    assert done.returncode == 0, done.stderr
    assert "mirror     skipped" in done.stdout
    assert f"report     {tmp_path}/out/report.html" in done.stdout.splitlines()


@pytest.mark.parametrize("kind", ["md", "html"])
def test_failure_is_reported_with_its_remedy(tmp_path: Path, kind: str) -> None:
    with HubServer({REPO: FILES}) as hub:
        hub.corrupt("model.safetensors", b"other")
        done = run(tmp_path, hub, None)

    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("modelcar: model.safetensors: ")
    assert "Traceback" not in done.stderr
    assert f"report: {tmp_path}/out/report.html" in done.stderr.splitlines()
    page = (tmp_path / f"out/report.{kind}").read_text()
    assert "download" in page
    assert "download again" in page
    assert json.loads((tmp_path / "out/run.json").read_text())["status"] == "failed"
