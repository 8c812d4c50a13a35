"""A new catalog file for a model: planned, compared with known GPUs, and written."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcar import atomic, catalog_file, faults, fitting, gpu, plan, proposal, schemas
from modelcar.entry import Entry
from modelcar.errors import CatalogError, UsageError
from modelcar.formats import is_pickle
from modelcar.gpu_types import GpuNode
from modelcar.hub import Hub
from modelcar.proposal import Proposal
from modelcar.values import Model, Plan
from modelcar.wording import line, size
from modelcar.workfolder import WorkFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewEntry:
    """The text of a catalog file, and what it was made from."""

    text: str
    plan: Plan
    proposal: Proposal


def make(
    model: Model, path: Path, nodes: Sequence[GpuNode], context: int, work: WorkFolder, hub: Hub
) -> NewEntry:
    """Return the catalog file of a model, with values to serve it on the first node that holds it.

    No weight byte moves. Raises what `plan.make` and `proposal.propose` do, and CatalogError where
    `check` would refuse the file at `path`.
    """
    made = plan.make(model, work, hub)
    found = proposal.propose(fitting.need(made, hub), made.facts, nodes, context)
    why = {f"serving.{name}": said for name, said in found.why.items()} | dict(_reasons(made))
    return NewEntry(_checked(path, _given(model, made, found), why), made, found)


def hold_fields(model: Model, path: Path) -> None:
    """Raise CatalogError for a name, version or pattern that the catalog does not take."""
    least = {"name": model.name, "source": model.source.uri, "version": model.version}
    _checked(path, {**least, "files": _patterns(model)}, {})


def hold_place(model: Model, path: Path, force: bool) -> None:
    """Raise UsageError where the file, or another of that name beside it, is there already."""
    if not force:
        _hold_free(path)
    for other in _named(model.name, path.parent):
        if other.resolve() != path.resolve():
            remedy = "choose another with --name"
            raise UsageError(f"writing {path}", f"{other} has the name {model.name}", remedy)


def write(entry: NewEntry, path: Path, force: bool) -> None:
    """Write a catalog file, and beside it the schema for editors; raise UsageError.

    What came there while the model was read is not written over either.
    """
    schema, text = path.with_name(schemas.FILES["catalog"]), schemas.text("catalog")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not schema.exists():
            atomic.write(schema, text)
            log.info("%s: written, for editors to complete and check by", schema)
        elif schema.read_text(encoding="utf-8", errors="replace") != text:
            log.info("%s is not this release's schema; `modelcar schema` prints that", schema)
        if not force:
            _hold_free(path)
        atomic.write(path, entry.text)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"writing {path}", why, "choose another place with --out") from error


def say(entry: NewEntry) -> None:
    """Log what was chosen, and why."""
    made, found = entry.plan, entry.proposal
    total = size(sum(file.size for file in made.files))
    at = f" at {made.commit}" if made.commit else ""
    log.info("%s%s: %d files, %s", made.source.uri, at, len(made.files), total)
    plan.warn(made)
    for name, why in found.why.items():
        log.info("serving.%s: %s", name, why)
    sure = found.holds and found.fit.verdict != "unknown"
    level = logging.INFO if sure else logging.WARNING
    log.log(level, "%s: %s", made.model, gpu.told(found.fit))


def _hold_free(path: Path) -> None:
    if path.exists():
        remedy = "choose another with --out, or write over it with --force"
        raise UsageError(f"writing {path}", "the file exists", remedy)


def _named(name: str, folder: Path) -> Iterator[Path]:
    """Yield the catalog files of a folder that have this name."""
    for path in sorted(folder.glob("*.yaml")):
        try:
            if faults.read(path).tree.get("name") == name:
                yield path
        except CatalogError as error:
            log.debug("%s", error)


def _checked(path: Path, given: Mapping[str, Any], why: Mapping[str, str]) -> str:
    """Return the text of a catalog file, which `check` takes; raise CatalogError."""
    text = catalog_file.text(given, why)
    faults.parse(path, text).validate(Entry)
    return text


def _patterns(model: Model) -> Mapping[str, Sequence[str]]:
    given = {"include": model.rules.include, "exclude": model.rules.exclude}
    return {name: patterns for name, patterns in given.items() if patterns}


def _given(model: Model, made: Plan, found: Proposal) -> Mapping[str, Any]:
    """Return the fields to set, by section."""
    serving, source = found.serving, model.source
    fields = {
        "name": model.name,
        "source": source.uri,
        "revision": "" if source.pinned else source.revision,
        "commit": made.commit,
        "version": model.version,
        "description": _description(made),
        "files": {**_patterns(model), "allow_pickle": _pickles(made)},
        "serving": {
            "gpus": serving.gpus,
            "cpu": serving.cpu,
            "memory": serving.memory,
            "tensor_parallel_size": serving.tensor_parallel_size,
            "max_model_len": serving.max_model_len,
            "args": serving.args,
            "node_selector": dict(serving.node_selector),
        },
    }
    return _without_empty(fields)


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    inner = {k: _without_empty(v) if isinstance(v, Mapping) else v for k, v in fields.items()}
    return {name: value for name, value in inner.items() if value}


def _description(made: Plan) -> str:
    """Return one line from the model card: what it is called there, for what, and its license."""
    told = made.facts
    named = made.source.location.rpartition("/")[2]
    license_ = f"license {told.license}" if told.license else ""
    parts = (named, *told.tasks[:1], told.quantization, license_)
    return line(", ".join(text for text in parts if text))


def _pickles(made: Plan) -> bool:
    return any(is_pickle(file.path) for file in made.files)


def _reasons(made: Plan) -> Iterator[tuple[str, str]]:
    if _pickles(made):
        yield "files.allow_pickle", "it has no other weights, and --allow-pickle was given"
