"""How large the object is in which Argo keeps a run: by what KFP and Argo write into it.

Read in kubeflow/pipelines (backend/src/v2/compiler/argocompiler, driver) for KFP 2.5 to 2.16 and
in argo-workflows (workflow/controller, packer). A component stands once in the arguments. For each
of its tasks it stands in the driver's input and, as part of a patch of the pod, in the driver's
output and in the inputs of the task, of its retries as a whole and of each try. Argo refuses a
workflow beyond 1,048,576 bytes, once the nodes are packed by gzip and in base 64.
"""

import base64
import gzip
import json
import random
from typing import Any

from tests.pipeline.compiled_file import CompiledPipeline

_TEMPLATES = 30_000
"""Bytes: those that KFP's compiler writes, which are the same but for their number."""
_ID = 36
_VALUE = 64
"""Bytes of a parameter's value, but for what plan and build tell."""


def packed(pipeline: CompiledPipeline, failed: str = "") -> int:
    """Return the bytes of the run's object at its end; the task `failed` had to be tried again."""
    nodes = _Nodes()
    for name, task in pipeline.tasks.items():
        tries = 1 + task["retryPolicy"]["maxRetryCount"] * (name == failed)
        _task(nodes, pipeline, name, task, tries)
    return len(_json(_spec(pipeline))) + _TEMPLATES + nodes.packed()


class _Nodes:
    """The nodes of a run: what ran, by ids that are in no order."""

    def __init__(self) -> None:
        self._nodes: dict[str, Any] = {}
        self._random = random.Random(1)

    def add(self, name: str, **told: Any) -> None:
        key = f"modelcar-abcde-{self._random.randrange(10**9, 4 * 10**9)}"
        moments = dict.fromkeys(("startedAt", "finishedAt"), "2026-11-28T10:00:00Z")
        known = {"id": key, "name": f"modelcar-abcde.root.exit-handler-1.{name}", **moments}
        host = {"hostNodeName": "ip-10-0-0-1.ec2.internal", "phase": "Succeeded"}
        self._nodes[key] = {**known, **host, **told}

    def packed(self) -> int:
        ordered = {key: self._nodes[key] for key in sorted(self._nodes)}
        return len(base64.b64encode(gzip.compress(_json(ordered))))


def _task(
    nodes: _Nodes, pipeline: CompiledPipeline, name: str, task: dict[str, Any], tries: int
) -> None:
    component = pipeline.documents[0]["components"][task["componentRef"]["name"]]
    executor = pipeline.executors[component["executorLabel"].removeprefix("exec-")]
    driven = {
        "component": component,
        "task": task,
        "container": executor.container,
        "kubernetes-config": executor.kubernetes,
    }
    patch = [_parameter("pod-spec-patch", _patch(component, task, executor.container))]
    given = [_parameter(key, value) for key, value in driven.items()]
    nodes.add(f"{name}-driver", inputs={"parameters": given}, outputs={"parameters": patch})
    for node in (name, f"{name}.executor", *(f"{name}.executor({n})" for n in range(tries))):
        nodes.add(node, inputs={"parameters": patch})


def _patch(component: Any, task: Any, container: Any) -> dict[str, Any]:
    """Return what the driver makes of a task: KFP's launcher around the component's command."""
    values = dict.fromkeys(task.get("inputs", {}).get("parameters", {}), "x" * _VALUE)
    launcher = ["/kfp-launcher/launch", "--run_id", "x" * _ID, "--component_spec", _text(component)]
    launcher += ["--executor_input", _text({"inputs": {"parameterValues": values}}), "--"]
    main = {**container, "name": "main", "command": launcher + container.get("command", [])}
    return {"containers": [main]}


def _spec(pipeline: CompiledPipeline) -> dict[str, Any]:
    document = pipeline.documents[0]
    given = {f"components-{name}": one for name, one in document["components"].items()}
    given["components-root"] = document["root"]
    for name, executor in pipeline.executors.items():
        given[f"implementations-{name}"] = executor.container
        given[f"kubernetes-{name}"] = executor.kubernetes
    return {"arguments": {"parameters": [_parameter(*item) for item in given.items()]}}


def _parameter(name: str, value: Any) -> dict[str, str]:
    return {"name": name, "value": _text(value)}


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _json(value: Any) -> bytes:
    return _text(value).encode()
