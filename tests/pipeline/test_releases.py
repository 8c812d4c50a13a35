"""What each release of OpenShift AI takes and honours of every file in compiled/."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import dsl
from kfp import kubernetes as settings
from kfp.compiler import Compiler
from kfp.kubernetes import kubernetes_executor_config_pb2 as kubernetes
from kfp.pipeline_spec import pipeline_spec_pb2 as spec

from tests.environments import environment
from tests.pipeline.compiled_file import ROOT, CompiledPipeline

FILES = sorted((ROOT / "compiled").glob("*.yaml"))
each_file = pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)

CURRENT = metadata.version("kfp-pipeline-spec")
_SAME = ("googleapis-common-protos==1.70.0", "PyYAML==6.0.3")
# kfp-pipeline-spec with what it runs on. OpenShift AI 2.19 to 2.25 knows the fields of the first,
# 3.0 to 3.3 those of the second, 3.4 and later those of the third and more.
PARSERS = {
    "0.6.0": ("protobuf==4.25.8", *_SAME),
    "2.14.3": ("protobuf==6.31.1", *_SAME),
    "2.15.2": ("protobuf==6.33.6", *_SAME),
    CURRENT: ("protobuf==6.33.6", *_SAME),
}
# Something that a pipeline may have, where it stands, and whose parser refuses it.
ADDED: Mapping[str, tuple[tuple[str, ...], object, set[str]]] = {
    "nothing": ((), {}, set()),
    "a workspace": (
        ("platform", "platforms", "kubernetes", "pipelineConfig", "workspace"),
        {"size": "1Gi"},
        {"0.6.0"},
    ),
    "a task's configuration": (
        ("pipeline", "components", "comp-one", "taskConfigPassthroughs"),
        [{"field": "RESOURCES"}],
        {"0.6.0", "2.14.3"},
    ),
    "a deadline": (
        ("platform", "platforms", "kubernetes", "pipelineConfig", "activeDeadlineSeconds"),
        60,
        {"0.6.0", "2.14.3", "2.15.2"},
    ),
    "a field of containers that is none": (
        ("pipeline", "deploymentSpec", "executors", "exec-one", "container", "privileged"),
        True,
        set(PARSERS),
    ),
}

# The first release whose server honours a field; those before drop it without a word. The rows
# name the fields of an executor's configuration, of the pipeline's, and of a task.
HONOURED = {
    "2.16": """
        activeDeadlineSeconds
        configMapAsVolume configMapAsVolume.configMapName configMapAsVolume.mountPath
        configMapAsVolume.optional
        fieldPathAsEnv fieldPathAsEnv.fieldPath fieldPathAsEnv.name
        imagePullSecret imagePullSecret.secretName
        nodeSelector nodeSelector.labels
        podMetadata podMetadata.annotations podMetadata.labels
        pvcMount pvcMount.componentInputParameter pvcMount.constant pvcMount.mountPath
        secretAsEnv secretAsEnv.keyToEnv secretAsEnv.secretName
        secretAsVolume secretAsVolume.mountPath secretAsVolume.optional secretAsVolume.secretName
        tolerations tolerations.effect tolerations.key tolerations.operator
        tolerations.tolerationSeconds tolerations.value
    """,
    "2.19": """
        emptyDirMounts emptyDirMounts.medium emptyDirMounts.mountPath emptyDirMounts.sizeLimit
        emptyDirMounts.volumeName
    """,
    "2.20": """
        configMapAsVolume.configMapNameParameter imagePullSecret.secretNameParameter
        nodeSelector.nodeSelectorJson pvcMount.pvcNameParameter secretAsEnv.secretNameParameter
        secretAsVolume.secretNameParameter tolerations.tolerationJson
    """,
    "2.22": "task.retryPolicy",
    "3.0": "nodeAffinity pipelineConfig.workspace secretAsEnv.optional",
    "3.4": """
        pipelineConfig.activeDeadlineSeconds pvcMount.subPath
        securityContext securityContext.runAsGroup securityContext.runAsNonRoot
        securityContext.runAsUser
    """,
}
SINCE = {field: release for release, fields in HONOURED.items() for field in fields.split()}
# kfp writes a name twice, for older servers too: then nothing is lost with the newer field.
OLDER = {
    "configMapNameParameter": "configMapName",
    "pvcNameParameter": "componentInputParameter",
    "secretNameParameter": "secretName",
}


@pytest.fixture(scope="session")
def additions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return small compiled files, by what stands in them."""
    folder = tmp_path_factory.mktemp("additions")
    files = {added: folder / f"{number}.yaml" for number, added in enumerate(ADDED)}
    for added, path in files.items():
        place, value, _ = ADDED[added]
        both = {"pipeline": _pipeline(), "platform": {"platforms": {"kubernetes": {}}}}
        if place:
            _put(both, place, value)
        path.write_text(yaml.safe_dump_all(both.values()), encoding="utf-8")
    return files


@pytest.fixture(scope="session", params=PARSERS)
def parser(request: pytest.FixtureRequest) -> str:
    """Return a release of kfp-pipeline-spec."""
    found: str = request.param
    return found


@pytest.fixture(scope="session")
def refused(parser: str, additions: Mapping[str, Path]) -> dict[str, list[str]]:
    """Return what that release refuses of each file, by its path."""
    python = environment(sys.executable, f"kfp-pipeline-spec=={parser}", *PARSERS[parser])
    script = Path(__file__).with_name("strict_parse.py")
    argv = [python, "-I", *map(str, (script, *FILES, *additions.values()))]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def _pipeline() -> dict[str, Any]:
    task = {"taskInfo": {"name": "one"}, "componentRef": {"name": "comp-one"}}
    return {
        "schemaVersion": "2.1.0",
        "pipelineInfo": {"name": "one"},
        "root": {"dag": {"tasks": {"one": task}}},
        "components": {"comp-one": {"executorLabel": "exec-one"}},
        "deploymentSpec": {"executors": {"exec-one": {"container": {"image": "one"}}}},
    }


def _put(into: dict[str, Any], place: tuple[str, ...], value: object) -> None:
    for key in place[:-1]:
        into = into.setdefault(key, {})
    into[place[-1]] = value


def used(pipeline: CompiledPipeline) -> Iterator[str]:
    """Yield the fields of a file that HONOURED is about."""
    (platform,) = pipeline.documents[1]["platforms"].values()
    assert platform.keys() <= {"deploymentSpec", "pipelineConfig"}
    assert platform["deploymentSpec"].keys() == {"executors"}
    yield from (f"pipelineConfig.{name}" for name in platform.get("pipelineConfig", ()))
    for executor in pipeline.executors.values():
        yield from _fields(executor.kubernetes)
    yield from ("task.retryPolicy" for task in pipeline.tasks.values() if "retryPolicy" in task)


def _fields(configuration: Mapping[str, Any]) -> Iterator[str]:
    for field, value in configuration.items():
        yield field
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, dict):
                yield from (f"{field}.{name}" for name in entry if not _told_twice(entry, name))


def _told_twice(entry: Mapping[str, Any], name: str) -> bool:
    older = OLDER.get(name, "")
    if older not in entry:
        return False
    newer = entry[name]
    return entry[older] in (newer.get(older), newer.get("runtimeValue", {}).get("constant"))


def dropped(pipeline: CompiledPipeline, release: str) -> set[str]:
    """Return what a server of that release ignores; a field that SINCE lacks is to be looked up."""
    return {field for field in used(pipeline) if _number(SINCE[field]) > _number(release)}


def _number(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))


@each_file
def test_no_server_refuses_a_file(file: Path, refused: Mapping[str, list[str]]) -> None:
    assert refused[str(file)] == []


@pytest.mark.parametrize("added", ADDED)
def test_a_server_refuses_what_it_does_not_know(
    added: str, parser: str, additions: Mapping[str, Path], refused: Mapping[str, list[str]]
) -> None:
    place, _, by = ADDED[added]
    reasons = refused[str(additions[added])]
    assert bool(reasons) == (parser in by)
    assert all(f'has no field named "{place[-1]}"' in reason for reason in reasons)


@each_file
def test_every_field_is_honoured_from_2_22_on(file: Path) -> None:
    assert dropped(CompiledPipeline(file), "2.22") == set()


@each_file
@pytest.mark.parametrize("release", ["2.19", "2.20", "2.21"])
def test_servers_before_ignore_the_retry_and_nothing_else(file: Path, release: str) -> None:
    assert dropped(CompiledPipeline(file), release) == {"task.retryPolicy"}


def test_fields_of_later_releases_are_found(tmp_path: Path) -> None:
    @dsl.container_component
    def one() -> dsl.ContainerSpec:
        return dsl.ContainerSpec(image="registry.example.com/one:1")

    @dsl.pipeline
    def small(volume: str, secret: str) -> None:
        task = one()
        settings.mount_pvc(task, volume, "/models", sub_path="part")
        settings.use_secret_as_volume(task, secret, "/secret")
        settings.use_secret_as_env(task, "token", {"key": "TOKEN"}, optional=True)

    Compiler().compile(small, str(tmp_path / "small.yaml"))
    made = CompiledPipeline(tmp_path / "small.yaml")
    assert dropped(made, "3.4") == set()
    assert dropped(made, "3.3") == {"pvcMount.subPath"}
    assert dropped(made, "2.25") == {"pvcMount.subPath", "secretAsEnv.optional"}
    assert dropped(made, "2.19") - dropped(made, "2.25") == {"secretAsVolume.secretNameParameter"}


@pytest.mark.parametrize("field", SINCE)
def test_the_table_names_fields_that_exist(field: str) -> None:
    first, _, rest = field.partition(".")
    tops = {"pipelineConfig": spec.PipelineConfig, "task": spec.PipelineTaskSpec}
    descriptor = tops[first].DESCRIPTOR if first in tops else None
    if descriptor is None:
        top = {one.json_name: one for one in kubernetes.KubernetesExecutorConfig.DESCRIPTOR.fields}
        descriptor = top[first].message_type
    assert not rest or rest in {one.json_name for one in descriptor.fields}
