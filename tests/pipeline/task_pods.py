"""The pods of a run's tasks: what the pipeline says of each, and what becomes of it."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from google.protobuf import json_format

from tests.servers.argo import Container, Mishap, Namespace, Pod, Workflow

_RUN_ID: Final = "metadata.labels['pipeline/runid']"
_AFTER_ALL: Final = "ALL_UPSTREAM_TASKS_COMPLETED"
_LONGEST_MESSAGE: Final = 4096
_VOLUMES: Final = (("secretAsVolume", "secretName"), ("configMapAsVolume", "configMapName"))


class Graph:
    """What a compiled pipeline says of its tasks: which there are, and each one's Kubernetes."""

    def __init__(self, pipeline: Any) -> None:
        spec = json_format.MessageToDict(pipeline.pipeline_spec)
        platforms = json_format.MessageToDict(pipeline.platform_spec)["platforms"]
        self.name: str = spec["pipelineInfo"]["name"]
        self._defaults = spec["root"]["inputDefinitions"]["parameters"]
        self._executors = platforms["kubernetes"]["deploymentSpec"]["executors"]
        outer = spec["root"]["dag"]["tasks"]
        (self._handler,) = (name for name in outer if name.startswith("exit-handler"))
        inner = spec["components"][outer[self._handler]["componentRef"]["name"]]["dag"]["tasks"]
        self._tasks = {**inner, **outer}

    def settings(self, label: str) -> Mapping[str, Any]:
        """Return the Kubernetes configuration of an executor."""
        found: Mapping[str, Any] = self._executors.get(label, {})
        return found

    def default(self, parameter: str) -> str:
        return str(self._defaults[parameter]["defaultValue"])

    def is_last(self, task: str) -> bool:
        """Return whether it is the exit task."""
        return bool(self._tasks[task].get("triggerPolicy", {}).get("strategy") == _AFTER_ALL)

    def node(self, task: str) -> str:
        """Return a task's node as Argo names it, behind the workflow's name."""
        place = f"{self._handler}.onExit" if self.is_last(task) else self._handler
        return f"root.{place}.{task}"

    def may_be_retried(self, task: str) -> bool:
        return bool(self._tasks[task].get("retryPolicy", {}).get("maxRetryCount"))


class TaskPods:
    """One run's pods in a namespace, and none of them without one."""

    def __init__(self, graph: Graph, namespace: Namespace | None, run_id: str) -> None:
        self._graph = graph
        self._workflow = Workflow(namespace, graph.name, run_id) if namespace else None
        self._tries: Counter[str] = Counter()

    def create(self, task: str, container: Container) -> Pod | None:
        """Make the pod of the next try of a task."""
        if self._workflow is None:
            return None
        node, number = self._graph.node(task), self._tries[task]
        self._tries[task] += 1
        self._workflow.driver(node)
        retried = f"({number})" if self._graph.may_be_retried(task) else ""
        return self._workflow.pod(f"{node}.executor{retried}", container)

    def lost(self, task: str, container: Container, mishap: Mishap) -> None:
        """Make a pod that comes to nothing; one that waits for ever is not tried again."""
        if mishap.phase != "Pending" or not self._tries[task]:
            pod = self.create(task, container)
            assert pod, "without a namespace nothing befalls a pod"
            pod.meet(mishap)

    def end(self, succeeded: bool, message: str) -> None:
        if self._workflow is not None:
            self._workflow.end("Succeeded" if succeeded else "Failed", message)


class Given:
    """What one task is given besides its arguments: variables, and what is mounted.

    `folders` holds the secrets and config maps by name, `claim` is the folder of the volume claim.
    """

    def __init__(
        self, settings: Mapping[str, Any], folders: Mapping[str, Path], claim: Path, empty: Path
    ) -> None:
        self._settings = settings
        named = (
            (mount["mountPath"], folders.get(mount[name], empty))
            for kind, name in _VOLUMES
            for mount in settings.get(kind, ())
        )
        claims = ((mount["mountPath"], claim) for mount in settings.get("pvcMount", ()))
        self._mounted = dict([*named, *claims])

    def placed(self, text: str) -> str:
        """Return `text`, with a path in what is mounted as it is on this machine."""
        for path, folder in self._mounted.items():
            if re.search(rf"(^|:){path}(/|:|$)", text):
                text = text.replace(path, str(folder), 1)
        return text

    def fields(self, run_id: str) -> dict[str, str]:
        """Return the variables that come from the pod itself."""
        known = {_RUN_ID: run_id}
        entries = self._settings.get("fieldPathAsEnv", ())
        return {entry["name"]: known[entry["fieldPath"]] for entry in entries}


def container(spec: Any, claim: str) -> Container:
    """Return a task's container as its pod has it; `spec` is the pipeline's."""
    told = json_format.MessageToDict(spec.resources)
    kinds = (("requests", "Request"), ("limits", "Limit"))
    resources = {
        kind: {
            name: told[f"resource{name.capitalize()}{word}"]
            for name in ("cpu", "memory")
            if f"resource{name.capitalize()}{word}" in told
        }
        for kind, word in kinds
    }
    return Container(spec.image, list(spec.command)[:1], resources, claim)


def left(termination: Path) -> str:
    """Return what the kubelet takes of a termination message."""
    content = termination.read_bytes() if termination.is_file() else b""
    return content[-_LONGEST_MESSAGE:].decode(errors="replace")
