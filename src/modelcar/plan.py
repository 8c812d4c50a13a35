"""What a run would do: the commit, the files, the layers, and the bytes that would move."""

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from modelcar import folder, weights
from modelcar.errors import ImageError, SourceError
from modelcar.facts import facts
from modelcar.hub import Hub
from modelcar.oci import layer
from modelcar.reuse import bytes_of
from modelcar.values import Digest, Model, ModelSource, Plan, PlannedLayer, SourceFile
from modelcar.wording import size
from modelcar.workfolder import KnownLayers, WorkFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """A source's files at one commit (none for a folder), and a way to read the small ones."""

    source: ModelSource
    commit: str | None
    files: tuple[SourceFile, ...]


def make(model: Model, work: WorkFolder, hub: Hub, max_layer: int = 0) -> Plan:
    """Resolve and choose; what was built before is known, and no target is asked.

    Raises SourceError when the source cannot be read or has no weight set that may be chosen,
    ImageError when a layer has more than `max_layer` bytes (0: any).
    """
    listed = _list(model.source, work, hub)
    reading = listed.source.at(listed.commit)
    files = {file.path: file for file in listed.files}
    # Each may be large.
    text = lru_cache(2)(lambda path: read(reading, path, hub, files.get(path)))
    selection = weights.choose(model.name, listed.files, model.rules, text)
    known = work.layers()
    layers = tuple(_layer(files, known) for files in weights.group(selection.files))
    _hold_limit(layers, max_layer)
    return Plan(
        model=model.name,
        version=model.version,
        source=model.source,
        commit=listed.commit,
        files=selection.files,
        left_out=selection.left_out,
        layers=layers,
        bytes=bytes_of(layers, work.snapshot(model.source), work.checked_files()),
        warnings=selection.warnings,
        facts=facts([file.path for file in selection.files], text),
    )


def choice(plan: Plan) -> Digest:
    """Return the sha256 of what is chosen: the source, its commit, each file and its checksum.

    It says nothing of what was built before, so that two plans of one commit agree anywhere.
    """
    files = [(file.path, file.size, file.checksum) for file in plan.files]
    text = json.dumps([plan.source.uri, plan.commit, files])
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def hold(plan: Plan, expected: str) -> None:
    """Raise SourceError where another choice of files than the `expected` was planned before."""
    if expected and str(choice(plan)) != expected:
        what = f"{plan.source.uri} at {plan.commit}"
        why = "its files are not those that were planned"
        raise SourceError(what, why, "start a new run: the commit's files changed meanwhile")


def warn(plan: Plan) -> None:
    """Log what the user should know about the choice."""
    for warning in plan.warnings:
        log.warning("%s", warning)


def _list(source: ModelSource, work: WorkFolder, hub: Hub) -> Listed:
    if source.kind == "file":
        files = folder.listing(Path(source.location), work.checked_files())
        return Listed(source, None, files)
    listing = hub.listing(source)
    return Listed(source, listing.commit, listing.files)


def read(source: ModelSource, path: str, hub: Hub, listed: SourceFile | None = None) -> str:
    """Return the text of a small file of the source, at its revision, as the Hub `listed` it.

    Raises SourceError, VerificationError.
    """
    if source.kind == "file":
        return folder.read(Path(source.location), path)
    return hub.read(source, path, listed)


def _layer(files: Sequence[SourceFile], known: KnownLayers) -> PlannedLayer:
    return PlannedLayer(tuple(files), layer.size(files), known.get(layer.key(files)))


def _hold_limit(layers: Sequence[PlannedLayer], limit: int) -> None:
    """Refuse a layer above the limit: one file cannot be spread over several layers."""
    for item in layers:
        if limit and item.size > limit:
            what = f"layer of {item.files[0].path}"
            why = f"it has {size(item.size)}, the target takes {size(limit)}"
            remedy = "raise the limit there and in --max-layer-size, or take a model in shards"
            raise ImageError(what, why, remedy)
