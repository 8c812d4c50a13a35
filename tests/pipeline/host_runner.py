"""Runs a compiled pipeline on this machine: each task a process, as kfp.local does it.

kfp.local has no point to extend, and it leaves out what the pipeline needs of a cluster: container
components, secrets, volumes, field paths, folders for outputs, and pods. Here its own parts are
wrapped while a run lasts. The names are private to kfp, which is pinned. In a cage, tasks run what
is there; else they run with the Python of this process.
"""

import dataclasses
import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from kfp import components, local
from kfp.local import config, executor_input_utils, subprocess_task_handler, task_dispatcher
from kfp.local.orchestrator import task_executor
from kfp.local.status import Status

from tests.cage import Cage
from tests.pipeline.stopping import Stop
from tests.pipeline.task_pods import Given, Graph, TaskPods, container, left
from tests.servers.argo import Mishap, Namespace, Pod

TERMINATION_LOG = "MODELCAR_TERMINATION_LOG"


@dataclass(frozen=True)
class Cluster:
    """What stands for the cluster: secrets and config maps by name, as folders of files.

    In a cage only tasks that mount the volume claim find `claim`, the folder that stands for it.
    Every task has `variables`, and in a `namespace` a pod.
    """

    folder: Path
    secrets: Mapping[str, Path] = field(default_factory=dict)
    cage: Cage | None = None
    claim: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    namespace: Namespace | None = None


@dataclass(frozen=True)
class Trouble:
    """What is done to a run from outside: it is stopped, or a task's pod meets a mishap."""

    stop: Stop = field(default_factory=Stop)
    mishaps: Mapping[str, Mishap] = field(default_factory=dict)
    """By the task, which is never started then."""


@dataclass(frozen=True)
class Run:
    """One run that ended: its log, where its outputs lie, and whether it succeeded.

    `left` holds each task's last termination message.
    """

    succeeded: bool
    log: str
    outputs: Path
    left: Mapping[str, str]

    def output(self, task: str, name: str) -> str:
        """Return the text of a task's output, parameter or artifact."""
        return (self.outputs / task / name).read_text(encoding="utf-8")

    @property
    def started(self) -> set[str]:
        """The tasks that ran."""
        return set(self.left)


def run(
    file: Path,
    cluster: Cluster,
    run_id: str,
    trouble: Trouble | None = None,
    /,
    **arguments: str,
) -> Run:
    """Run the pipeline in `file` to its end, or until it is stopped."""
    pipeline = components.load_component_from_file(str(file))
    outputs, log = cluster.folder / "outputs" / run_id, io.StringIO()
    tasks = _Tasks(pipeline, cluster, run_id, arguments, trouble or Trouble())
    with _host(tasks), redirect_stdout(log):
        workspace = str(cluster.folder / "workspace")
        local.init(local.SubprocessRunner(use_venv=False), str(outputs), workspace)
        try:
            pipeline(**arguments)
            succeeded = True
        except RuntimeError:  # kfp's word for a failed run; the log says what failed
            succeeded = False
        tasks.end(succeeded)
    folder = next(outputs.glob("*"), outputs)
    return Run(succeeded, log.getvalue(), folder, tasks.left)


@contextmanager
def _host(tasks: "_Tasks") -> Iterator[None]:
    """Wrap kfp.local, and set what else a run touches; all is as before at the end."""
    level = logging.getLogger().level
    wrapped = (
        (task_dispatcher, "run_single_task_implementation", tasks),
        (subprocess_task_handler, "SubprocessTaskHandler", partial(_HostTask, tasks.execute)),
        (executor_input_utils, "construct_executor_input", _with_folders),
        # A task is tried again as often as the pipeline says, but at once.
        (task_executor, "time", SimpleNamespace(sleep=lambda seconds: None)),
        # The pods have the resources, as far as there are pods.
        (task_executor, "_warn_local_only_noops", lambda *task: None),
        (config.LocalExecutionConfig, "instance", None),
    )
    with ExitStack() as stack:
        for owner, name, stand_in in wrapped:
            stack.enter_context(patch.object(owner, name, stand_in))
        stack.callback(logging.getLogger().setLevel, level)
        # The folders that the launcher makes are writable by the group, which all pods share.
        stack.callback(os.umask, os.umask(0o002))
        yield


class _HostTask(subprocess_task_handler.SubprocessTaskHandler):  # type: ignore[misc]
    """Runs any container's command as a process, whatever its image."""

    def __init__(self, execute: Callable[..., int], **task: Any) -> None:
        super().__init__(**task)
        self._execute = execute

    def run(self) -> Status:
        code = self._execute(self.full_command, self.env_vars)
        return Status.FAILURE if code else Status.SUCCESS

    def validate_image(self, image: str) -> None:
        pass

    def validate_not_container_component(self, full_command: list[str]) -> None:
        pass


_construct = executor_input_utils.construct_executor_input
_run_task = task_dispatcher.run_single_task_implementation


def _with_folders(**arguments: Any) -> Any:
    """Make the folders of the outputs, as the launcher in a pod does."""
    executor_input = _construct(**arguments)
    for output in executor_input.outputs.parameters.values():
        Path(output.output_file).parent.mkdir(parents=True, exist_ok=True)
    return executor_input


class _Tasks:
    """Runs each try of a task with what its Kubernetes configuration gives it, and nothing else."""

    def __init__(
        self,
        pipeline: Any,
        cluster: Cluster,
        run_id: str,
        arguments: Mapping[str, str],
        trouble: Trouble,
    ) -> None:
        self.left: dict[str, str] = {}
        self._cluster, self._run_id = cluster, run_id
        self._stop, self._mishaps = trouble.stop, trouble.mishaps
        self._graph = Graph(pipeline)
        self._claim = arguments.get("pvc_name") or self._graph.default("pvc_name")
        self._pods = TaskPods(self._graph, cluster.namespace, run_id)
        self._surroundings = _surroundings(cluster)
        self._mounts = False
        self._pod: Pod | None = None

    def __call__(self, **task: Any) -> Any:
        """Run one try, as kfp.local's own function does, which is asked in the end."""
        name = task["component_name"].removeprefix("comp-")
        settings = self._graph.settings(task["component_spec"].executor_label)
        self._mounts = bool(settings.get("pvcMount"))
        if "workdir" in task["arguments"] and not self._mounts:
            raise AssertionError(f"{name} works on the PVC and does not mount it")
        if self._stop and not (self._stop.reports and self._graph.is_last(name)):
            return {}, Status.FAILURE
        pod = container(task["executor_spec"].container, self._claim if self._mounts else "")
        if name in self._mishaps:
            self._pods.lost(name, pod, self._mishaps[name])
            return {}, Status.FAILURE
        self._pod = self._pods.create(name, pod)
        self._give(task["executor_spec"].container, settings)
        try:
            return _run_task(**task)
        finally:
            self.left[name] = left(self._termination)

    def execute(self, command: Sequence[str], variables: Mapping[str, str]) -> int:
        """Run the process of the try at hand, and return its exit code as a container's."""
        self._termination.unlink(missing_ok=True)
        self._termination.touch()
        self._termination.chmod(0o666)  # as the kubelet makes it
        if self._pod:
            self._pod.start()
        code, said = self._process(self._caged(command), {**self._surroundings, **variables})
        if self._pod:
            self._pod.log.write_text(said)
            self._pod.end(code, left(self._termination))
        return code

    def end(self, succeeded: bool) -> None:
        self._pods.end(succeeded, "Stopped with strategy 'Terminate'" if self._stop else "")

    def _process(self, argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str]:
        with subprocess.Popen(
            argv,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # a process group of its own, as a container's is
        ) as process:
            assert process.stdout
            said = io.StringIO()
            with self._stop.watching(process):
                for line in process.stdout:
                    sys.stdout.write(line)
                    said.write(line)
        code = process.returncode
        return (code if code >= 0 else 128 - code), said.getvalue()

    def _caged(self, command: Sequence[str]) -> Sequence[str]:
        cage, claim = self._cluster.cage, self._cluster.claim
        if cage is None:
            return command
        if claim is not None:
            more = [claim] if self._mounts else []
            cage = dataclasses.replace(cage, volume=self._cluster.folder, more=more)
        return cage.command(command)

    def _give(self, spec: Any, settings: Mapping[str, Any]) -> None:
        """Set the variables of the container, with paths as they are here."""
        cluster, claim = self._cluster, self._cluster.claim or self._cluster.folder / "claim"
        given = Given(settings, cluster.secrets, claim, self._empty)
        variables = {entry.name: given.placed(entry.value) for entry in spec.env}
        variables |= {**given.fields(self._run_id), TERMINATION_LOG: str(self._termination)}
        del spec.env[:]
        for name, value in variables.items():
            spec.env.add(name=name, value=value)

    @property
    def _termination(self) -> Path:
        """Where the process leaves a message: /dev/termination-log of its pod."""
        return self._cluster.folder / f"termination-{self._run_id}"

    @property
    def _empty(self) -> Path:
        """The folder of a secret or config map that is not there."""
        path = self._cluster.folder / "absent"
        path.mkdir(parents=True, exist_ok=True)
        return path


def _surroundings(cluster: Cluster) -> dict[str, str]:
    """Return what a pod has, and a pip that installs nothing: what is pinned is there already."""
    offline = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **cluster.variables}
    if cluster.cage:
        cluster.folder.mkdir(parents=True, exist_ok=True)
        return {**cluster.cage.environment, **offline}
    folders = {"HOME": cluster.folder / "home", "TMPDIR": cluster.folder / "tmp"}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {"PATH": path, **{name: str(folder) for name, folder in folders.items()}, **offline}
