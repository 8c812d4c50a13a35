"""The shipped pipeline, run whole on this machine against real servers."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from kfp.local import config, subprocess_task_handler, task_dispatcher

from tests.pipeline.compiled_file import SHIPPED
from tests.pipeline.host_runner import Run
from tests.pipeline.world import NAME, REPO, VERSION, World, start

STAGES = ["plan", "download", "build", "mirror", "register", "deploy", "verify"]


@pytest.fixture(scope="module")
def world(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return servers, and the pipeline as it is for a runtime image: nothing is installed."""
    with start(tmp_path_factory.mktemp("world")) as found:
        yield dataclasses.replace(found, pipeline=runtime / "modelcar.yaml")


@pytest.fixture(scope="module")
def before() -> tuple[dict[str, str], dict[str, str]]:
    """Return what was installed and in the environment before the first run."""
    return _installed(), dict(os.environ)


@pytest.fixture(scope="module")
def first(world: World, before: object) -> Run:
    """Return the first run, of the file that is shipped, with every target."""
    done = dataclasses.replace(world, pipeline=SHIPPED).run("first")
    assert done.succeeded, done.log
    return done


def _built_by_command(world: World, folder: Path) -> str:
    """Build the model with the command line and return its digest."""
    program = str(Path(sys.executable).parent / "modelcar")
    target = f"{world.oci_registry.host}/other/{NAME}:1"
    options = ["--to", target, "--base", world.base, "--workdir", str(folder), "--json"]
    settings = {"HF_ENDPOINT": world.hub.url, "REGISTRY_AUTH_FILE": str(world.auth_file)}
    done = subprocess.run(
        [program, "build", f"hf://{REPO}", *options],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout)["digest"])


def _installed() -> dict[str, str]:
    return {found.metadata["Name"]: found.version for found in metadata.distributions()}


def test_one_digest_stands_everywhere(world: World, first: Run, tmp_path: Path) -> None:
    digest = _built_by_command(world, tmp_path)
    image = f"{world.oci_registry.host}/models/{NAME}@{digest}"

    assert world.digest_at(f"models/{NAME}") == digest
    assert world.digest_at(f"mirror/{NAME}") == digest
    (artifact,) = world.model_registry.store.all("artifact")
    assert artifact["uri"] == f"oci://{image}"
    (version,) = world.model_registry.store.all("version")
    mirrored = version["customProperties"]["mirror"]["string_value"]
    assert mirrored == f"{world.oci_registry.host}/mirror/{NAME}@{digest}"
    assert artifact["modelSourceKind"] == "kfp"
    assert (artifact["modelSourceId"], artifact["modelSourceName"][:8]) == ("first", "modelcar")
    manifest = yaml.safe_load((world.work / "inferenceservice.yaml").read_text())
    assert manifest["spec"]["predictor"]["model"]["storageUri"] == f"oci://{image}"


def test_every_stage_leaves_its_record(world: World, first: Run) -> None:
    records = world.records("first")

    assert list(records) == STAGES
    states = [record["status"] for record in records.values()]
    assert states == [*["succeeded"] * 5, "rendered", "skipped"]
    assert records["plan"]["result"]["commit"] == world.hub.commit(REPO)


def test_second_run_changes_nothing(world: World, first: Run) -> None:
    uploads, writes, digest = (
        world.uploads(),
        list(world.model_registry.writes),
        world.digest_at(f"models/{NAME}"),
    )

    second = world.run("second")

    assert second.succeeded, second.log
    assert uploads
    assert world.uploads() == uploads
    assert world.model_registry.writes == writes
    assert world.digest_at(f"models/{NAME}") == digest
    records = world.records("second")
    assert records["download"]["result"]["downloaded"] == 0
    assert records["build"]["result"]["changed"] is False
    assert records["register"]["result"]["changed"] is False


def test_a_run_leaves_this_process_as_it_was(
    before: tuple[dict[str, str], dict[str, str]], first: Run
) -> None:
    # pip found all that is pinned, and nothing is wrapped.
    packages, environment = before
    now = {name: os.environ.get(name) for name in environment if not name.startswith("PYTEST_")}
    assert _installed() == packages
    assert now == {name: environment[name] for name in now}
    assert config.LocalExecutionConfig.instance is None
    handler = subprocess_task_handler.SubprocessTaskHandler
    assert handler.__module__ == subprocess_task_handler.__name__
    assert task_dispatcher.run_single_task_implementation.__module__ == task_dispatcher.__name__


def test_what_has_no_target_is_skipped(world: World, first: Run) -> None:
    uploads, writes = world.uploads(), list(world.model_registry.writes)

    done = world.run("bare", mirror_to="", model_registry_url="")

    assert done.succeeded, done.log
    assert world.uploads() == uploads
    assert world.model_registry.writes == writes
    records = world.records("bare")
    assert records["mirror"]["status"] == "skipped"
    assert records["register"]["status"] == "skipped"
    assert done.output("mirror", "digest") == world.digest_at(f"models/{NAME}")


def test_a_branch_is_followed_and_a_mirror_recorded_only_where_there_is_one(
    world: World, first: Run
) -> None:
    done = world.run("following", mirror_to="", model_version="3.0", follow="true")

    assert done.succeeded, done.log
    names = {version["name"]: version for version in world.model_registry.store.all("version")}
    followed = names[f"3.0-{world.hub.commit(REPO)[:7]}"]
    assert "mirror" not in followed["customProperties"]


def test_what_is_known_of_the_model_is_recorded(world: World, first: Run) -> None:
    (version,) = (v for v in world.model_registry.store.all("version") if v["name"] == VERSION)
    found = {name: item["string_value"] for name, item in version["customProperties"].items()}

    assert found["commit"] == world.hub.commit(REPO)
    assert found["base"] == world.base.partition("@")[2]
    assert (found["license"], found["architecture"]) == ("apache-2.0", "LlamaForCausalLM")
    assert (found["library"], found["tasks"], found["languages"]) == (
        "vllm",
        "text-generation",
        "en",
    )
    assert found["text-generation"] == ""  # a label
    assert int(found["parameters"]) > 0
    assert int(found["image_bytes"]) > 7008
    assert version["description"] == "# tiny"


def test_failing_run_says_why_once_and_still_reports(world: World) -> None:
    done = world.run("failing", hf_repo="example/missing")

    assert not done.succeeded
    assert {folder.name for folder in done.outputs.iterdir()} == {"plan", "report"}
    said = [line for line in done.log.splitlines() if "hf://example/missing" in line]
    tries = done.log.count("Got executor_input") - 1  # the last is the report's
    assert len(said) == tries == 2
    assert all("plan failed: hf://example/missing@main: there is no such" in line for line in said)
    assert "check the name" in said[0]
    assert "Traceback" not in done.log


def test_what_would_not_fit_moves_no_byte(world: World) -> None:
    selector = "node.kubernetes.io/instance-type=g6.4xlarge"
    gpus = {"gpu_count": "2", "node_selector_label": selector}

    done = world.run("unfit", **gpus, deploy_model="true", tensor_parallel_size="2")

    assert not done.succeeded
    assert {folder.name for folder in done.outputs.iterdir()} == {"plan", "report"}
    assert "plan failed: deploying tiny on 2 x L4 (g6.4xlarge): it does not fit" in done.log
    assert "2 GPUs are asked for, and g6.4xlarge has 1" in done.log
    assert "or try with --ignore-fit (ignore_fit in the pipeline)" in done.log


def test_a_version_is_moved_only_when_told_to(world: World, first: Run) -> None:
    other = {"base_image": "scratch"}

    refused = world.run("refused", **other)
    moved = world.run("moved", **other, move_version="true")

    assert not refused.succeeded
    assert "register failed: tiny 2.0 in the Model Registry: it points at sha256:" in refused.log
    base = world.base.rpartition("sha256:")[2][:12]
    assert f" (base {base} there, none here); register under another version" in refused.log
    assert moved.succeeded, moved.log


def test_where_nothing_may_be_pushed_no_byte_is_downloaded(world: World, first: Run) -> None:
    fresh = f"{world.oci_registry.host}/fresh"

    done = world.run("closed", registry=fresh, mirror_to="127.0.0.1:1/mirror")
    # The same server by a name for which there is no password: skopeo does not try that again.
    mirror = f"localhost:{world.oci_registry.port}/mirror"
    world.run("open", registry=fresh, mirror_to=mirror, skip_preflight="true")

    assert not done.succeeded
    assert {folder.name for folder in done.outputs.iterdir()} == {"plan", "report"} | {"download"}
    assert "preflight: failed  mirror_to: OCI registry 127.0.0.1:1" in done.log
    assert world.records("closed")["download"]["status"] == "failed"
    assert world.records("open")["build"]["status"] == "succeeded"
