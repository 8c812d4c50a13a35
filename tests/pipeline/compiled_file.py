"""A compiled pipeline, read as data: its executors, their commands, and what they embed."""

import bz2
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from components._embedding import unpacked

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "compiled" / "modelcar.yaml"
OVERLAPPED = ROOT / "compiled" / "modelcar-overlapped.yaml"
EVERY = sorted(SHIPPED.parent.glob("*.yaml"))
_ARCHIVE = re.compile(r"MODELCAR_ARCHIVE = '([^']*)'")
_INSTALL = re.compile(r"python3 -m pip install (.*?) +&&")
_QUOTED = re.compile(r"'([^']+)'")


@dataclass(frozen=True)
class Executor:
    """What one stage runs, and its Kubernetes configuration."""

    name: str
    container: dict[str, Any]
    kubernetes: dict[str, Any]

    @property
    def stage(self) -> str:
        return self.name.removeprefix("exec-")

    @property
    def words(self) -> list[str]:
        """Return its argv."""
        return [*self.container.get("command", ()), *self.container.get("args", ())]

    @property
    def text(self) -> str:
        return "\n".join(self.words)

    @property
    def environment(self) -> dict[str, str]:
        return {entry["name"]: entry["value"] for entry in self.container.get("env", ())}

    @property
    def embedded(self) -> str:
        """Return its archive as text, nothing without one."""
        match = _ARCHIVE.search(self.text)
        return match[1] if match else ""

    @property
    def sources(self) -> dict[str, str]:
        """Return the files of its archive, by path."""
        return sources(self.embedded)

    @property
    def requirements(self) -> list[str]:
        """Return what it installs and kfp itself, without the options of pip."""
        installs = "".join(_INSTALL.findall(self.text))
        return [word for word in _QUOTED.findall(installs) if not word.startswith("-")]


@dataclass(frozen=True)
class CompiledPipeline:
    """The two documents of a compiled file."""

    path: Path

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def plain(self) -> str:
        """Return the text without the archives, in which any word may stand by chance."""
        return _ARCHIVE.sub("", self.text)

    @cached_property
    def documents(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the pipeline and what is particular to Kubernetes."""
        pipeline, platform = yaml.load_all(self.text, Loader=yaml.CSafeLoader)
        return pipeline, platform

    @property
    def parameters(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]]
        found = self.documents[0]["root"]["inputDefinitions"]["parameters"]
        return found

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """Return every task that runs a stage, by its name."""
        graphs = [self.documents[0]["root"]]
        graphs += [part for part in self.documents[0]["components"].values() if "dag" in part]
        every = {name: task for graph in graphs for name, task in graph["dag"]["tasks"].items()}
        return {name: task for name, task in every.items() if not name.startswith("exit-handler")}

    @cached_property
    def executors(self) -> dict[str, Executor]:
        """Return the executors by the name of their stage."""
        pipeline, platform = self.documents
        settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        return {
            label.removeprefix("exec-"): Executor(label, part["container"], settings[label])
            for label, part in pipeline["deploymentSpec"]["executors"].items()
        }


def sources(text: str) -> dict[str, str]:
    """Return the files in an archive of the library's code, by path."""
    parts = bz2.decompress(unpacked(text)).decode().split("\0")
    return dict(zip(parts[::2], parts[1::2], strict=True))
