"""Read the records of a run, whole or damaged, and sum them up."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelcar.errors import ModelCarError
from modelcar.records import place, sound
from modelcar.values import RunRecord, StageRecord, Status, from_json

log = logging.getLogger(__name__)


def read(folder: Path, run_id: str) -> tuple[StageRecord, ...]:
    """Return the run's records in the order of its stages; one that is damaged reads as failed."""
    return tuple(_read(path) for path in sorted(place(folder, run_id).glob("[0-9]*.json")))


def summary(model: str, version: str, stages: Sequence[StageRecord]) -> RunRecord:
    """Sum up a run from its stages; one without any stage is still running."""
    results = {stage.name: stage.result for stage in stages}
    mirror = results.get("mirror", {})
    name, digest = _text(mirror, "name"), _text(mirror, "digest")
    return RunRecord(
        model=model,
        version=version,
        status=_status({stage.status for stage in stages}),
        stages=tuple(stages),
        digest=_text(results.get("build"), "image", "digest"),
        mirror=f"{name}@{digest}" if name and digest else "",
        registered=_text(results.get("register"), "uri"),
        endpoint=_text(results.get("deploy"), "url"),
    )


def _status(seen: set[Status]) -> Status:
    if "failed" in seen:
        return "failed"
    return "running" if "running" in seen or not seen else "succeeded"


def _text(result: Any, *keys: str) -> str:
    for key in keys:
        result = result.get(key) if isinstance(result, Mapping) else None
    return result if isinstance(result, str) else ""


def _read(path: Path) -> StageRecord:
    try:
        record = from_json(StageRecord, json.loads(path.read_text(encoding="utf-8")))
        sound(record)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        log.warning("%s: not a stage record: %s", path, error)
        return _damaged(path, error)
    return record  # type: ignore[no-any-return]  # from_json returns what its first argument says


def _damaged(path: Path, error: Exception) -> StageRecord:
    parts = {
        "what": f"the record {path.name}",
        "why": error.strerror or str(error)
        if isinstance(error, OSError)
        else "it is half written, or no stage record",
        "remedy": "run the stage again, which writes it anew",
    }
    text = str(ModelCarError(**parts))
    name = path.stem.partition("-")[2] or path.stem
    return StageRecord(name, "failed", _modified(path), error=text, result=parts)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
