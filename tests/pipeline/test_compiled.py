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

from modelcar import skopeo_copy
from tests.pipeline.compiled_file import SHIPPED, CompiledPipeline, Executor

PIPELINE = CompiledPipeline(SHIPPED)
STAGES = ["build", "deploy", "download", "mirror", "plan", "register", "report"]
TASKS = sorted([*STAGES, "register-2"])
PYTHON_STAGES = [name for name in STAGES if name != "mirror"]
IMAGE = re.compile(r"[a-z0-9.-]+\.[a-z]+/[\w./-]+(:[\w.-]+)?@sha256:[0-9a-f]{64}")
SECRETS = {
    "build": ["registry-auth"],
    "download": ["huggingface-token", "registry-auth"],
    "mirror": ["registry-auth"],
    "plan": ["huggingface-token"],
    "register": ["model-registry-config"],
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


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Executor:
    return PIPELINE.executors[request.param]


@pytest.fixture(params=PYTHON_STAGES)
def python_stage(request: pytest.FixtureRequest) -> Executor:
    return PIPELINE.executors[request.param]


def test_a_server_that_refuses_unknown_fields_takes_it() -> None:
    pipeline, platform = PIPELINE.documents
    json_format.ParseDict(pipeline, spec.PipelineSpec())
    deployment = pipeline["deploymentSpec"]
    json_format.ParseDict(deployment, spec.PipelineDeploymentConfig())
    json_format.ParseDict(platform, spec.PlatformSpec())

    assert pipeline["schemaVersion"] == "2.1.0"
    assert components.load_component_from_file(str(SHIPPED)).name == "modelcar"
    assert sorted(PIPELINE.executors) == STAGES
    assert sorted(PIPELINE.tasks) == TASKS


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


@pytest.mark.parametrize("name", TASKS)
def test_task_is_never_cached_and_tried_again(name: str) -> None:
    task = PIPELINE.tasks[name]
    assert task["cachingOptions"] == {}
    assert task["retryPolicy"]["maxRetryCount"] >= 1


def test_tasks_of_one_component_share_its_text() -> None:
    labels = {
        name: PIPELINE.documents[0]["components"][f"comp-{name}"]["executorLabel"] for name in TASKS
    }
    assert labels["register"] == labels["register-2"] == "exec-register"
    assert PIPELINE.tasks["register-2"]["taskInfo"]["name"] == "verify"


def test_report_runs_whatever_became_of_the_others() -> None:
    task = PIPELINE.tasks["report"]
    assert task["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    assert task["dependentTasks"] == ["exit-handler-1"]


@pytest.mark.parametrize("name", STAGES)
def test_stage_sees_only_its_own_secrets_as_optional_files(name: str) -> None:
    mounts = PIPELINE.executors[name].kubernetes.get("secretAsVolume", [])
    assert sorted(mount["secretName"] for mount in mounts) == SECRETS.get(name, [])
    for mount in mounts:
        assert mount["optional"] is True
        constant = mount["secretNameParameter"]["runtimeValue"]["constant"]
        assert constant == mount["secretName"]


def test_variables_are_paths_of_a_mount_and_the_run_id(stage: Executor) -> None:
    kinds = ("secretAsVolume", "configMapAsVolume")
    folders = {mount["mountPath"] for kind in kinds for mount in stage.kubernetes.get(kind, ())}
    known = {"HF_TOKEN_PATH", "REGISTRY_AUTH_FILE", "MODELCAR_CA_BUNDLE", "SSL_CERT_DIR"}
    assert stage.environment.keys() <= known
    for value in stage.environment.values():
        places = {value, str(Path(value).parent), value.partition(":")[0]}
        assert places & folders
    path = "metadata.labels['pipeline/runid']"
    assert stage.kubernetes["fieldPathAsEnv"] == [{"name": "MODELCAR_RUN_ID", "fieldPath": path}]


@pytest.mark.parametrize("name", [name for name in STAGES if name != "report"])
def test_what_connects_trusts_whom_the_cluster_trusts(name: str) -> None:
    (mount,) = PIPELINE.executors[name].kubernetes["configMapAsVolume"]
    assert (mount["configMapName"], mount["optional"]) == ("odh-trusted-ca-bundle", True)
    assert PIPELINE.executors[name].environment["MODELCAR_CA_BUNDLE"] == mount["mountPath"]


def test_volume_is_the_one_that_the_parameter_names(python_stage: Executor) -> None:
    (mount,) = python_stage.kubernetes["pvcMount"]
    assert mount["pvcNameParameter"]["componentInputParameter"].endswith("pvc_name")
    assert PIPELINE.parameters["workdir"]["defaultValue"].startswith(f"{mount['mountPath']}/")


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
    assert container["args"] == expected
    assert {"--all", "--preserve-digests"} <= set(expected)


def test_it_names_no_machine_and_no_package_host() -> None:
    assert len(PIPELINE.plain) < 70_000
    every = [PIPELINE.plain, *(text for name in PYTHON_STAGES for text in _sources(name))]
    for text in every:
        assert not re.search(r"(?<![\w.~])/(root|home|Users|work|tmp)/", text)
        assert not re.search(r"pypi|index-url|find-links|trusted-host", text)
    hosts = re.findall(r"https?://([\w.-]+)", PIPELINE.plain)
    assert set(hosts) == {"huggingface.co"}


def _sources(name: str) -> list[str]:
    return list(PIPELINE.executors[name].sources.values())
