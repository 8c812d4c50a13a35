"""A compiled pipeline as it is uploaded: its name, its mark, its parameters and tasks."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcar.errors import UsageError


@dataclass(frozen=True, slots=True)
class CompiledFile:
    """A compiled pipeline; `version` is made of the file's sha256, `parameters` are by name."""

    path: Path
    name: str
    version: str
    parameters: Mapping[str, Mapping[str, Any]]
    tasks: Mapping[str, str]
    """The name that people read, by the name that a task has in its graph."""


def read(path: Path) -> CompiledFile:
    """Read a compiled pipeline; raise UsageError for a file that is none."""
    import yaml

    remedy = "name what `make compile` wrote, such as compiled/modelcar.yaml"
    try:
        content = path.read_bytes()
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # twenty times as fast
        return _of(path, content, next(iter(yaml.load_all(content, loader))))
    except OSError as error:
        raise UsageError(f"file {path}", error.strerror or str(error), remedy) from error
    except (
        yaml.YAMLError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        StopIteration,
    ) as error:
        raise UsageError(f"file {path}", "it is no compiled pipeline", remedy) from error


def _of(path: Path, content: bytes, spec: Mapping[str, Any]) -> CompiledFile:
    parameters = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    graphs = [spec["root"], *spec["components"].values()]
    tasks = {key: name for graph in graphs for key, name in _tasks(graph, spec["components"])}
    version = f"sha256-{hashlib.sha256(content).hexdigest()[:12]}"
    return CompiledFile(path, spec["pipelineInfo"]["name"], version, parameters, tasks)


def _tasks(graph: Mapping[str, Any], components: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the tasks that run a container, and not those that are a graph themselves."""
    for key, task in graph.get("dag", {}).get("tasks", {}).items():
        if "executorLabel" in components[task["componentRef"]["name"]]:
            yield key, task["taskInfo"]["name"]
