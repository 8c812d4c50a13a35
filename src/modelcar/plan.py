"""What a run would do: the commit, the files, the layers, and the bytes that would move."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelcar import folder, weights
from modelcar.checksums import CheckedFiles
from modelcar.hub import Hub
from modelcar.oci import layer
from modelcar.values import Model, ModelSource, Moved, Plan, PlannedLayer, SourceFile
from modelcar.workfolder import KnownLayers, WorkFolder

if TYPE_CHECKING:
    from modelcar.oci.store import ImageStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """A source's files at one commit (none for a folder), and a way to read the small ones."""

    source: ModelSource
    commit: str | None
    files: tuple[SourceFile, ...]


def make(model: Model, work: WorkFolder, hub: Hub, target: "ImageStore | None" = None) -> Plan:
    """Resolve, choose and compare with what the target holds; no weight byte moves.

    Raises SourceError when the source cannot be read or has no weight set that may be chosen.
    """
    listed = _list(model.source, work, hub)
    reading = listed.source.at(listed.commit)
    selection = weights.choose(
        model.name, listed.files, model.rules, lambda path: _read(reading, path, hub)
    )
    known = work.layers()
    layers = tuple(_layer(files, known, target) for files in weights.group(selection.files))
    return Plan(
        model=model.name,
        version=model.version,
        source=model.source,
        commit=listed.commit,
        files=selection.files,
        left_out=selection.left_out,
        layers=layers,
        bytes=_bytes(layers, work.snapshot(model.source), work.checked_files()),
        warnings=selection.warnings,
    )


def warn(plan: Plan) -> None:
    """Log what the user should know about the choice."""
    for warning in plan.warnings:
        log.warning("%s", warning)


def to_fetch(plan: Plan) -> tuple[SourceFile, ...]:
    """Return the files whose layers the target lacks: only these are needed on disk."""
    return tuple(file for item in plan.layers if not item.reused for file in item.files)


def _list(source: ModelSource, work: WorkFolder, hub: Hub) -> Listed:
    if source.kind == "file":
        files = folder.listing(Path(source.location), work.checked_files())
        return Listed(source, None, files)
    listing = hub.listing(source)
    return Listed(source, listing.commit, listing.files)


def _read(source: ModelSource, path: str, hub: Hub) -> str:
    if source.kind == "file":
        return folder.read(Path(source.location), path)
    return hub.read(source, path)


def _layer(
    files: Sequence[SourceFile], known: KnownLayers, target: "ImageStore | None"
) -> PlannedLayer:
    digest = known.get(layer.key(files))
    reused = digest is not None and target is not None and target.has_blob(digest)
    return PlannedLayer(tuple(files), layer.size(files), digest, reused)


def _bytes(layers: Sequence[PlannedLayer], snapshot: Path, known: CheckedFiles) -> Moved:
    fresh = [item for item in layers if not item.reused]
    missing = (f for item in fresh for f in item.files if not _on_disk(f, snapshot, known))
    return Moved(
        downloaded=sum(file.size for file in missing),
        uploaded=sum(item.size for item in fresh),
        reused=sum(item.size for item in layers if item.reused),
    )


def _on_disk(file: SourceFile, snapshot: Path, known: CheckedFiles) -> bool:
    return file.checksum is None or known.matches(file, snapshot / file.path)
