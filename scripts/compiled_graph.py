"""What a compiled pipeline says of its tasks: their order, what passes, what each has."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

_WHATEVER = "ALL_UPSTREAM_TASKS_COMPLETED"
Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Passed:
    """One value that goes from one task to another."""

    value: str
    producer: str
    consumer: str


@dataclass(frozen=True, slots=True)
class Task:
    """One task, and what it has of the cluster; resources are Kubernetes quantities."""

    name: str
    after: tuple[str, ...]
    image: str
    cpu: tuple[str, str]
    """Request and limit."""
    memory: tuple[str, str]
    """Request and limit."""
    parameters: tuple[str, ...]
    """Of the pipeline, as far as the task takes them."""
    tries: int
    secrets: tuple[str, ...] = ()
    config_maps: tuple[str, ...] = ()
    volume: str = ""
    """The pipeline's parameter that names the volume claim."""
    shows: tuple[str, ...] = ()
    """Its artifacts, name and kind."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the pipeline's form."""

    name: str
    default: str
    description: str


@dataclass(frozen=True, slots=True)
class Graph:
    """A pipeline; `closing` are the tasks that run whatever becomes of the others."""

    name: str
    description: str
    tasks: tuple[Task, ...]
    closing: tuple[Task, ...]
    passed: tuple[Passed, ...]
    parameters: tuple[Parameter, ...] = field(default=())


def read(path: Path) -> Graph:
    """Read a compiled pipeline; its tasks are in an order in which each follows what it needs."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # twenty times as fast
    spec, platform = yaml.load_all(path.read_text(encoding="utf-8"), loader)
    mounts = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    found = {name: (_task(name, task, spec, mounts), task) for name, task in _tasks(spec)}
    order = [name for name in _order(found) if name in found]
    ends = {name for name, (_, task) in found.items() if _closes(task)}
    return Graph(
        name=spec["pipelineInfo"]["name"],
        description=spec["pipelineInfo"]["description"],
        tasks=tuple(found[name][0] for name in order if name not in ends),
        closing=tuple(found[name][0] for name in order if name in ends),
        passed=tuple(one for name in order for one in _passed(name, found[name][1])),
        parameters=tuple(_parameters(spec)),
    )


def _tasks(spec: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield the tasks of the graph and of the graphs in it, such as the exit handler's."""
    graphs = [spec["root"]["dag"]]
    while graphs:
        for name, task in graphs.pop()["tasks"].items():
            component = spec["components"][task["componentRef"]["name"]]
            if "condition" in task.get("triggerPolicy", ()):
                raise ValueError(f"task {name} has a condition, which no page here can show")
            if "dag" in component:
                graphs.append(component["dag"])
            else:
                yield name, task


def _order(found: Mapping[str, tuple[Task, Tree]]) -> Iterable[str]:
    after = {name: sorted(task.after) for name, (task, _) in sorted(found.items())}
    return TopologicalSorter(after).static_order()


def _closes(task: Tree) -> bool:
    return bool(task.get("triggerPolicy", {}).get("strategy") == _WHATEVER)


def _task(name: str, task: Tree, spec: Tree, mounts: Tree) -> Task:
    component = spec["components"][task["componentRef"]["name"]]
    executor = component["executorLabel"]
    container, has = spec["deploymentSpec"]["executors"][executor]["container"], mounts[executor]
    inputs = task.get("inputs", {}).get("parameters", {}).values()
    return Task(
        name=name,
        after=tuple(task.get("dependentTasks", ())),
        image=container["image"],
        cpu=_resource(container, "Cpu"),
        memory=_resource(container, "Memory"),
        parameters=tuple(sorted({_plain(one) for one in inputs if _plain(one)})),
        tries=1 + task["retryPolicy"]["maxRetryCount"],
        secrets=tuple(one["secretName"] for one in has.get("secretAsVolume", ())),
        config_maps=tuple(one["configMapName"] for one in has.get("configMapAsVolume", ())),
        volume="".join(_plain(one["pvcNameParameter"]) for one in has.get("pvcMount", ())),
        shows=tuple(_artifacts(component)),
    )


def _resource(container: Tree, kind: str) -> tuple[str, str]:
    resources = container["resources"]
    return resources[f"resource{kind}Request"], resources[f"resource{kind}Limit"]


def _plain(value: Tree) -> str:
    """Return the pipeline's parameter behind an input, nothing where it is another value."""
    return str(value.get("componentInputParameter", "")).removeprefix("pipelinechannel--")


def _artifacts(component: Tree) -> Iterator[str]:
    for name, one in component.get("outputDefinitions", {}).get("artifacts", {}).items():
        yield f"{name} ({one['artifactType']['schemaTitle'].removeprefix('system.')})"


def _passed(name: str, task: Tree) -> Iterator[Passed]:
    for value in task.get("inputs", {}).get("parameters", {}).values():
        if output := value.get("taskOutputParameter"):
            yield Passed(output["outputParameterKey"], output["producerTask"], name)


def _parameters(spec: Tree) -> Iterator[Parameter]:
    for name, one in spec["root"]["inputDefinitions"]["parameters"].items():
        yield Parameter(name, one.get("defaultValue", ""), one.get("description", ""))
