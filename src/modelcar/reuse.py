"""Which layers stand at the target already, by our own records; each is asked for there."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelcar.parallel import in_parallel
from modelcar.stamps import CheckedFiles
from modelcar.values import Moved, Plan, PlannedLayer, SourceFile
from modelcar.workfolder import WorkFolder

if TYPE_CHECKING:
    from modelcar.oci.store import ImageStore


def compare(plan: Plan, work: WorkFolder, target: "ImageStore") -> Plan:
    """Return the plan with those layers marked that the target holds."""

    def asked(item: PlannedLayer) -> PlannedLayer:
        held = item.known is not None and target.has_blob(item.known.digest)
        return replace(item, reused=held)

    return with_layers(plan, in_parallel(asked, plan.layers), work)


def with_layers(plan: Plan, layers: Sequence[PlannedLayer], work: WorkFolder) -> Plan:
    """Return the plan with these layers and the bytes that would move for them."""
    moved = bytes_of(layers, work.snapshot(plan.source), work.checked_files())
    return replace(plan, layers=tuple(layers), bytes=moved)


def to_fetch(plan: Plan) -> tuple[SourceFile, ...]:
    """Return the files whose layers the target lacks: only these are needed."""
    return tuple(file for item in plan.layers if not item.reused for file in item.files)


def bytes_of(layers: Sequence[PlannedLayer], snapshot: Path, known: CheckedFiles) -> Moved:
    """Return what would move; a file on disk need not be downloaded once it was checked there."""
    fresh = [item for item in layers if not item.reused]
    missing = (f for item in fresh for f in item.files if not _on_disk(f, snapshot, known))
    return Moved(
        downloaded=sum(file.size for file in missing),
        uploaded=sum(item.size for item in fresh),
        reused=sum(item.size for item in layers if item.reused),
    )


def _on_disk(file: SourceFile, snapshot: Path, known: CheckedFiles) -> bool:
    return file.checksum is None or known.matches(file, snapshot / file.path)
