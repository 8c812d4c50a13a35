"""What the shipped pipeline is made of: only what every supported OpenShift AI honours."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from kfp import components
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes
from kfp.pipeline_spec import pipeline_spec_pb2 as spec
from kubernetes.utils import parse_quantity

from modelcar import catalog, pipeline_arguments, skopeo_copy
from modelcar.preflight.compiled import read
from tests.pipeline.compiled_file import (
    EVERY,
    OVERLAPPED,
    ROOT,
    SHIPPED,
    CompiledPipeline,
    Executor,
)

PIPELINE, OTHER = CompiledPipeline(SHIPPED), CompiledPipeline(OVERLAPPED)
STAGES = ["build", "deploy", "download", "mirror", "plan", "register", "report", "verify"]
EXECUTORS = {**OTHER.executors, **PIPELINE.executors}
EVERY_TASK = {**OTHER.tasks, **PIPELINE.tasks}
MODELS = sorted((ROOT / "models").glob("*.yaml"))
IMAGE = re.compile(r"[a-z0-9.-]+\.[a-z]+/[\w./-]+(:[\w.-]+)?@sha256:[0-9a-f]{64}")
ENDS = ("Request", "Limit")
# A claim that is missing, or in use on another node, keeps a pod from starting at all.
WITHOUT = ("plan", "mirror", "report")
SECRETS = {
    "build": ["registry-auth"],
    "download": ["huggingface-token", "registry-auth"],
    "mirror": ["registry-auth"],
    "plan": ["huggingface-token"],
    "register": ["model-registry-config"],
    "transfer": ["huggingface-token", "registry-auth"],
    "verify": ["model-registry-config"],
}
# Without them a task is at once refused or never placed by a namespace's quota.
AMOUNTS = {
    *("resourceCpuRequest", "resourceCpuLimit", "resourceMemoryRequest", "resourceMemoryLimit"),
}


def keys(value: Any) -> Iterator[str]:
    """Yield every key at any depth."""
    if isinstance(value, dict):
        yield from value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from keys(part)


def types(value: Any) -> Iterator[str]:
    """Yield the type of every parameter, of whatever component."""
    if isinstance(value, dict):
        if "parameterType" in value:
            yield value["parameterType"]
        for part in value.values():
            yield from types(part)


@pytest.fixture(params=EXECUTORS)
def stage(request: pytest.FixtureRequest) -> Executor:
    return EXECUTORS[request.param]


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_a_server_that_refuses_unknown_fields_takes_it(path: Path) -> None:
    pipeline, platform = CompiledPipeline(path).documents
    json_format.ParseDict(pipeline, spec.PipelineSpec())
    deployment = pipeline["deploymentSpec"]
    json_format.ParseDict(deployment, spec.PipelineDeploymentConfig())
    json_format.ParseDict(platform, spec.PlatformSpec())

    assert pipeline["schemaVersion"] == "2.1.0"
    loaded = components.load_component_from_file(str(path))
    assert loaded.name == pipeline["pipelineInfo"]["name"]


def test_the_graph_has_a_task_a_stage() -> None:
    assert sorted(PIPELINE.executors) == STAGES
    assert sorted(PIPELINE.tasks) == STAGES
    streams = {*STAGES, "transfer"} - {"download", "build"}
    assert OTHER.tasks.keys() == streams


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_of_the_catalog_has_a_file_with_its_values(path: Path) -> None:
    model = catalog.load(path)
    made = CompiledPipeline(SHIPPED.parent / f"{model.name}.yaml")

    defaults = {name: one["defaultValue"] for name, one in made.parameters.items()}
    shipped = {name: one["defaultValue"] for name, one in PIPELINE.parameters.items()}
    assert defaults == {**shipped, **pipeline_arguments.of_model(model)}
    assert made.executors == PIPELINE.executors
    assert made.tasks == PIPELINE.tasks
    assert made.documents[0]["pipelineInfo"]["name"] == f"modelcar-{model.name}"


def test_no_file_is_left_of_a_model_that_is_gone() -> None:
    names = {"modelcar", "modelcar-overlapped", *(catalog.load(path).name for path in MODELS)}
    assert {path.stem for path in EVERY} == names


def test_kubernetes_configuration_has_no_unknown_field(stage: Executor) -> None:
    # The server drops such a field without a word.
    json_format.ParseDict(stage.kubernetes, kubernetes.KubernetesExecutorConfig())
    known = {"fieldPathAsEnv", "pvcMount", "secretAsVolume", "configMapAsVolume"}
    assert stage.kubernetes.keys() <= known


def test_nothing_that_older_servers_refuse_or_ignore_is_used() -> None:
    refused = {"pipelineConfig", "cacheKey", "taskConfig", "taskConfigPassthroughs"}
    refused |= {"taskFinalStatus", "artifactIterator", "parameterIterator", "valueFromOneof"}
    assert refused.isdisjoint(keys(list(PIPELINE.documents)))
    assert "TASK_FINAL_STATUS" not in PIPELINE.plain


def test_every_value_between_tasks_is_text() -> None:
    assert set(types(PIPELINE.documents[0])) == {"STRING"}


@pytest.mark.parametrize("name", PIPELINE.parameters)
def test_pipeline_parameter_is_text_with_a_default_and_a_description(name: str) -> None:
    parameter = PIPELINE.parameters[name]
    assert parameter["parameterType"] == "STRING"
    assert isinstance(parameter.get("defaultValue"), str)
    assert parameter["description"].endswith(".")


@pytest.mark.parametrize("name", EVERY_TASK)
def test_task_is_never_cached_and_tried_again(name: str) -> None:
    task = EVERY_TASK[name]
    assert task["cachingOptions"] == {}
    assert task["retryPolicy"]["maxRetryCount"] >= 1
    # Argo ends a try, also one that goes well, this long after the first began.
    assert int(task["retryPolicy"]["backoffMaxDuration"].removesuffix("s")) >= 7 * 24 * 3600


def test_report_runs_whatever_became_of_the_others() -> None:
    task = PIPELINE.tasks["report"]
    assert task["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert task["dependentTasks"] == ["exit-handler-1"]


def test_stage_says_what_it_takes_of_a_node(stage: Executor) -> None:
    resources = stage.container["resources"]
    assert resources.keys() >= AMOUNTS
    for kind in ("Cpu", "Memory"):
        asked, most = (parse_quantity(resources[f"resource{kind}{end}"]) for end in ENDS)
        assert 0 < asked <= most


@pytest.mark.parametrize("name", EXECUTORS)
def test_stage_sees_only_its_own_secrets_as_optional_files(name: str) -> None:
    mounts = EXECUTORS[name].kubernetes.get("secretAsVolume", [])
    assert sorted(mount["secretName"] for mount in mounts) == SECRETS.get(name, [])
    for mount in mounts:
        assert mount["optional"] is True
        constant = mount["secretNameParameter"]["runtimeValue"]["constant"]
        assert constant == mount["secretName"]


def test_variables_are_paths_of_a_mount_and_the_run_id(stage: Executor) -> None:
    kinds = ("secretAsVolume", "configMapAsVolume")
    folders = {mount["mountPath"] for kind in kinds for mount in stage.kubernetes.get(kind, ())}
    folders |= {mount["mountPath"] for mount in stage.kubernetes.get("pvcMount", ())}
    known = {"HF_TOKEN_PATH", "REGISTRY_AUTH_FILE", "MODELCAR_CA_BUNDLE", "SSL_CERT_DIR"}
    known |= {"PIP_CACHE_DIR", "MODELCAR_CODE"}
    assert stage.environment.keys() <= known
    for value in stage.environment.values():
        places = {value, *map(str, Path(value).parents), value.partition(":")[0]}
        assert places & folders
    path = "metadata.labels['pipeline/runid']"
    assert stage.kubernetes["fieldPathAsEnv"] == [{"name": "MODELCAR_RUN_ID", "fieldPath": path}]


@pytest.mark.parametrize("name", [name for name in EXECUTORS if name != "report"])
def test_what_connects_trusts_whom_the_cluster_trusts(name: str) -> None:
    (mount,) = EXECUTORS[name].kubernetes["configMapAsVolume"]
    assert (mount["configMapName"], mount["optional"]) == ("odh-trusted-ca-bundle", True)
    assert EXECUTORS[name].environment["MODELCAR_CA_BUNDLE"] == mount["mountPath"]


@pytest.mark.parametrize("name", [name for name in EXECUTORS if name not in WITHOUT])
def test_volume_is_the_one_that_the_parameter_names(name: str) -> None:
    (mount,) = EXECUTORS[name].kubernetes["pvcMount"]
    assert mount["pvcNameParameter"]["componentInputParameter"].endswith("pvc_name")
    assert PIPELINE.parameters["workdir"]["defaultValue"].startswith(f"{mount['mountPath']}/")
    # What pip fetches is kept there from one run to the next.
    for variable in ("PIP_CACHE_DIR", "MODELCAR_CODE"):
        assert EXECUTORS[name].environment[variable].startswith(f"{mount['mountPath']}/")


@pytest.mark.parametrize("name", WITHOUT)
def test_what_needs_no_volume_waits_for_none(name: str) -> None:
    assert "pvcMount" not in EXECUTORS[name].kubernetes
    assert "PIP_CACHE_DIR" not in EXECUTORS[name].environment


def test_image_is_pinned_by_digest(stage: Executor) -> None:
    assert IMAGE.fullmatch(stage.container["image"])
    assert IMAGE.fullmatch(PIPELINE.parameters["base_image"]["defaultValue"])


def test_mirror_is_skopeo_without_a_shell() -> None:
    container = PIPELINE.executors["mirror"].container
    names = ("source", "destination", "source_tls_verify", "destination_tls_verify")
    source, destination, *tls = (f"{{{{$.inputs.parameters['{name}']}}}}" for name in names)
    digest = "{{$.outputs.parameters['digest'].output_file}}"
    expected = skopeo_copy.copy_arguments(source, destination, digest, *tls)
    assert container["command"] == ["skopeo"]
    assert container["args"] == ["--command-timeout=24h", *expected]
    assert {"--all", "--preserve-digests"} <= set(expected)


def test_it_names_no_machine_and_no_package_host() -> None:
    assert len(PIPELINE.plain) < 75_000
    every = [PIPELINE.plain, *(text for name in EXECUTORS for text in _sources(name))]
    for text in every:
        assert not re.search(r"(?<![\w.~])/(root|home|Users|work|tmp)/", text)
        assert not re.search(r"pypi|index-url|find-links|trusted-host", text)
    hosts = re.findall(r"https?://([\w.-]+)", PIPELINE.plain)
    assert set(hosts) == {"huggingface.co"}


def _sources(name: str) -> list[str]:
    executor = EXECUTORS[name]
    return list(executor.sources.values()) if executor.embedded else []


@pytest.mark.parametrize(("path", "keeps"), [(SHIPPED, True), (OVERLAPPED, False)])
def test_only_what_keeps_files_wants_room_for_them(path: Path, keeps: bool) -> None:
    task = CompiledPipeline(path).tasks["plan"]
    told = task["inputs"]["parameters"]["keeps_files"]["runtimeValue"]["constant"]
    assert told == str(keeps).lower()
    assert read(path).keeps_files is keeps
