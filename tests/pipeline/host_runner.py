"""Runs a compiled pipeline on this machine: each task a process, as kfp.local does it.

kfp.local has no point to extend, and it leaves out what the pipeline needs of a cluster: container
components, secrets, volumes, field paths, and folders for outputs. Here its own parts are wrapped
while a run lasts. The names are private to kfp, which is pinned. In a cage, tasks run what is
there; else they run with the Python of this process.
"""

import io
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from google.protobuf import json_format
from kfp import components, local
from kfp.local import config, executor_input_utils, subprocess_task_handler, task_dispatcher
from kfp.local.orchestrator import task_executor
from kfp.local.status import Status

from tests.cage import Cage

_CONFIG_MAP = "configMapName"
RUN_ID = "metadata.labels['pipeline/runid']"


@dataclass(frozen=True)
class Cluster:
    """What stands for the cluster: secrets and config maps by name, as folders of files."""

    folder: Path
    secrets: Mapping[str, Path] = field(default_factory=dict)
    cage: Cage | None = None


@dataclass(frozen=True)
class Run:
    """One run that ended: its log, where its outputs lie, and whether it succeeded."""

    succeeded: bool
    log: str
    outputs: Path

    def output(self, task: str, name: str) -> str:
        """Return the text of a task's output, parameter or artifact."""
        return (self.outputs / task / name).read_text(encoding="utf-8")


def run(file: Path, cluster: Cluster, run_id: str, **arguments: str) -> Run:
    """Run the pipeline in `file` to its end."""
    pipeline = components.load_component_from_file(str(file))
    outputs, log = cluster.folder / "outputs" / run_id, io.StringIO()
    with _host(pipeline, cluster, run_id), redirect_stdout(log):
        workspace = str(cluster.folder / "workspace")
        local.init(local.SubprocessRunner(use_venv=False), str(outputs), workspace)
        try:
            pipeline(**arguments)
            succeeded = True
        except RuntimeError:  # kfp's word for a failed run; the log says what failed
            succeeded = False
    (folder,) = outputs.iterdir()
    return Run(succeeded, log.getvalue(), folder)


@contextmanager
def _host(pipeline: Any, cluster: Cluster, run_id: str) -> Iterator[None]:
    """Wrap kfp.local, and set what else a run touches; all is as before at the end."""
    level = logging.getLogger().level
    mounted = _Mounted(pipeline, cluster, run_id, task_dispatcher.run_single_task_implementation)
    wrapped = (
        (task_dispatcher, "run_single_task_implementation", mounted),
        (subprocess_task_handler, "SubprocessTaskHandler", partial(_HostTask, cluster.cage)),
        (executor_input_utils, "construct_executor_input", _with_folders),
        # A task is tried again as often as the pipeline says, but at once.
        (task_executor, "time", SimpleNamespace(sleep=lambda seconds: None)),
        (config.LocalExecutionConfig, "instance", None),
    )
    with ExitStack() as stack:
        for owner, name, stand_in in wrapped:
            stack.enter_context(patch.object(owner, name, stand_in))
        stack.enter_context(patch.dict(os.environ, _environment(cluster), clear=True))
        stack.callback(logging.getLogger().setLevel, level)
        # The folders that the launcher makes are writable by the group, which all pods share.
        stack.callback(os.umask, os.umask(0o002))
        yield


def _environment(cluster: Cluster) -> dict[str, str]:
    """Return what a pod has, and a pip that installs nothing: what is pinned is there already."""
    offline = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if cluster.cage:
        return {**cluster.cage.environment, **offline}
    folders = {"HOME": cluster.folder / "home", "TMPDIR": cluster.folder / "tmp"}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {"PATH": path, **{name: str(folder) for name, folder in folders.items()}, **offline}


class _HostTask(subprocess_task_handler.SubprocessTaskHandler):  # type: ignore[misc]
    """Runs any container's command as a process, whatever its image."""

    def __init__(self, cage: Cage | None, **task: Any) -> None:
        super().__init__(**task)
        self._cage = cage

    def run(self) -> Status:
        if self._cage is None:
            return super().run()
        argv = self._cage.command(self.full_command)
        code = subprocess_task_handler.run_local_subprocess(argv, self.env_vars)
        return Status.FAILURE if code else Status.SUCCESS

    def validate_image(self, image: str) -> None:
        pass

    def validate_not_container_component(self, full_command: list[str]) -> None:
        pass


_construct = executor_input_utils.construct_executor_input


def _with_folders(**arguments: Any) -> Any:
    """Make the folders of the outputs, as the launcher in a pod does."""
    executor_input = _construct(**arguments)
    for output in executor_input.outputs.parameters.values():
        Path(output.output_file).parent.mkdir(parents=True, exist_ok=True)
    return executor_input


class _Mounted:
    """Runs a task with what its Kubernetes configuration gives it, and with nothing else."""

    def __init__(
        self, pipeline: Any, cluster: Cluster, run_id: str, inner: Callable[..., Any]
    ) -> None:
        platforms = json_format.MessageToDict(pipeline.platform_spec)["platforms"]
        self._executors = platforms["kubernetes"]["deploymentSpec"]["executors"]
        self._cluster, self._run_id, self._inner = cluster, run_id, inner

    def __call__(self, **task: Any) -> Any:
        label = task["component_spec"].executor_label
        settings, container = self._executors.get(label, {}), task["executor_spec"].container
        if "workdir" in task["arguments"] and not settings.get("pvcMount"):
            raise AssertionError(f"{label} works on the PVC and does not mount it")
        variables = {entry.name: entry.value for entry in container.env}
        variables |= {name: self._placed(text, settings) for name, text in variables.items()}
        variables |= self._fields(settings)
        del container.env[:]
        for name, value in variables.items():
            container.env.add(name=name, value=value)
        return self._inner(**task)

    def _placed(self, text: str, settings: Mapping[str, Any]) -> str:
        """Return `text`, with a path in what is mounted as it is on this machine."""
        for kind, named in (("secretAsVolume", "secretName"), ("configMapAsVolume", _CONFIG_MAP)):
            for mount in settings.get(kind, ()):
                path = mount["mountPath"]
                if re.search(rf"(^|:){path}(/|:|$)", text):
                    text = text.replace(path, str(self._folder(mount[named])), 1)
        return text

    def _folder(self, name: str) -> Path:
        """Return the folder of a secret or config map: an empty one for what is not there."""
        empty = self._cluster.folder / "absent"
        empty.mkdir(parents=True, exist_ok=True)
        return self._cluster.secrets.get(name, empty)

    def _fields(self, settings: Mapping[str, Any]) -> dict[str, str]:
        known = {RUN_ID: self._run_id}
        entries = settings.get("fieldPathAsEnv", ())
        return {entry["name"]: known[entry["fieldPath"]] for entry in entries}
