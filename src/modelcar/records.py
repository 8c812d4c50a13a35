"""Stage records: one small JSON file a stage and run, in `FOLDER/records/RUN/NN-STAGE.json`.

A record says "running" before its stage begins, so that a killed stage is seen.
"""

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from modelcar import atomic
from modelcar.errors import ModelCarError, UsageError
from modelcar.values import RunRecord, StageRecord, Status, from_json, to_json

log = logging.getLogger(__name__)

STAGES = ("plan", "download", "build", "mirror", "register", "deploy", "report")
"""The order of a run, which numbers the files: stages of one run may write from different pods."""
FAR = 1e11
"""Seconds that no clock shows."""


@dataclass
class Handle:
    """What a stage says about itself; nothing said means that it succeeded without a result."""

    status: Status = "succeeded"
    detail: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)

    def done(self, result: Any, detail: str = "") -> None:
        """Record what the stage returned: a value, or a mapping."""
        self._set("succeeded", detail, result)

    def skip(self, detail: str, result: Any = None) -> None:
        """Record that nothing was done, and why; `result` is what stood there already."""
        self._set("skipped", detail, result)

    def render(self, detail: str, result: Any = None) -> None:
        """Record that the stage wrote what it would apply, and applied nothing."""
        self._set("rendered", detail, result)

    def _set(self, status: Status, detail: str, result: Any) -> None:
        told = to_json(result)
        self.status, self.detail = status, detail
        self.result = told if isinstance(told, dict) else {}


class RunRecorder:
    """Writes the records of one run; safe for several pods that each run one stage."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self.folder = _place(folder, run_id)

    @contextmanager
    def stage(self, name: str) -> Iterator[Handle]:
        """Record the stage `name` around its work; an error is recorded and raised again."""
        record = StageRecord(name, "running", time.time())
        began = time.monotonic()
        self._write(record)
        handle = Handle()
        try:
            yield handle
        except BaseException as error:
            self._write_failure(_failed(record, error, time.monotonic() - began), error)
            raise
        seconds = time.monotonic() - began
        self._write(replace(record, seconds=seconds, **vars(handle)))

    def _write(self, record: StageRecord) -> None:
        path = self.folder / _file_name(record.name)
        text = json.dumps(to_json(record), indent=1, sort_keys=True) + "\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            atomic.write(path, text)
        except OSError as error:
            remedy = f"check the rights and the free space of {self.folder}"
            why = error.strerror or str(error)
            raise ModelCarError(f"record of {record.name}", why, remedy) from error

    def _write_failure(self, record: StageRecord, error: BaseException) -> None:
        try:
            self._write(record)
        except ModelCarError as second:
            # The stage's own error matters more than that its record could not be written.
            log.error("%s", second)
            error.add_note(f"its record could not be written: {second}")


def read(folder: Path, run_id: str) -> tuple[StageRecord, ...]:
    """Return the run's records in the order of its stages; one that is damaged reads as failed."""
    return tuple(_read(path) for path in sorted(_place(folder, run_id).glob("[0-9]*.json")))


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


def _place(folder: Path, run_id: str) -> Path:
    if re.fullmatch(r"[A-Za-z0-9][\w.-]{0,199}", run_id) is None:
        why = "it is not a name for a folder"
        raise UsageError(f"run id {run_id!r}", why, "use letters, digits, '-', '_' and '.'")
    return folder / "records" / run_id


def _file_name(stage: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9-]*", stage) is None:
        raise UsageError(f"stage {stage!r}", "it is not a stage's name", f"name one of {STAGES}")
    number = STAGES.index(stage) if stage in STAGES else len(STAGES)
    return f"{number + 1:02d}-{stage}.json"


def _failed(record: StageRecord, error: BaseException, seconds: float) -> StageRecord:
    if isinstance(error, ModelCarError):
        parts = {"what": error.what, "why": error.why, "remedy": error.remedy}
        return replace(record, status="failed", seconds=seconds, error=str(error), result=parts)
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return replace(record, status="failed", seconds=seconds, error=text)


def _read(path: Path) -> StageRecord:
    try:
        record = from_json(StageRecord, json.loads(path.read_text(encoding="utf-8")))
        _check(record)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        log.warning("%s: not a stage record: %s", path, error)
        return _damaged(path, error)
    return record  # type: ignore[no-any-return]  # from_json returns what its first argument says


def _check(record: StageRecord) -> None:
    texts = (record.name, record.detail, record.error)
    times = (record.started, record.seconds)
    sound = (
        record.status in get_args(Status)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(time, int | float) and 0 <= time < FAR for time in times)
        and isinstance(record.result, Mapping)
    )
    if not sound:
        raise ValueError("its fields are not those of a stage record")


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
