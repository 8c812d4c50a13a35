"""What a compiled pipeline asks of the pipelines server, and the images that it names. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modelcar.errors import UsageError

Version = tuple[int, int]
"""A release of OpenShift AI: major, minor."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that the server must know, and the first release whose server does."""

    what: str
    since: Version


_LEAST: Final = Asked("run whose failure is told by its exit task", (2, 19))
# By the key that stands in the file. From the servers' sources: an older one refuses the file, or
# drops what it does not know in silence.
_SINCE: Final = {
    "retryPolicy": Asked("retry of a task", (2, 22)),
    "taskFinalStatus": Asked("final status of a task", (3, 0)),
    "pipelineConfig": Asked("workspace", (3, 0)),
    "nodeAffinity": Asked("node affinity", (3, 0)),
    "securityContext": Asked("security context", (3, 4)),
}


@dataclass(frozen=True, slots=True)
class Compiled:
    """A compiled pipeline, as far as a cluster must suit it."""

    path: Path
    sdk: str
    """As the file has it, `kfp-2.17.0`."""
    images: tuple[str, ...]
    asked: tuple[Asked, ...]
    keeps_files: bool = True
    """Whether the model's files lie on the volume before they go into the image."""

    @property
    def least(self) -> Version:
        """The oldest release of OpenShift AI that knows all of it."""
        return max(one.since for one in self.asked)


def read(path: Path) -> Compiled:
    """Read a compiled pipeline; raise UsageError for a file that is none."""
    import yaml

    remedy = "name what `make compile` wrote, such as compiled/modelcar.yaml"
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # twenty times as fast
        documents = list(yaml.load_all(path.read_text(encoding="utf-8"), loader))
        return of(path, documents)
    except OSError as error:
        raise UsageError(f"file {path}", error.strerror or str(error), remedy) from error
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UsageError(f"file {path}", "it is no compiled pipeline", remedy) from error


def of(path: Path, documents: Sequence[Mapping[str, Any]]) -> Compiled:
    """Return what the documents of a compiled pipeline ask; raise KeyError for another file's."""
    spec = documents[0]
    executors = spec["deploymentSpec"]["executors"].values()
    images = {one["container"]["image"] for one in executors if "container" in one}
    keys = {key for document in documents for key in _keys(document)}
    asked = (_LEAST, *(one for key, one in _SINCE.items() if key in keys))
    keeps = "comp-transfer" not in spec.get("components", ())
    return Compiled(path, str(spec["sdkVersion"]), tuple(sorted(images)), asked, keeps)


def _keys(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from _keys(item)
