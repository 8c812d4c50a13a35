"""Stage records: one small JSON file a stage and run, in `FOLDER/records/RUN/NN-STAGE.json`.

A record says "running" before its stage begins, so that a killed stage is seen.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from modelcar import atomic
from modelcar.errors import ModelCarError, Stopped, UsageError
from modelcar.values import StageRecord, Status, to_json
from modelcar.wording import line

log = logging.getLogger(__name__)

FAR = 1e11
"""Seconds that no clock shows."""
_QUOTED = 12
"""How many lines a failure quotes of what was found."""
_NAMED, _QUOTE = r"(?:key|passw(?:or)?d|passphrase|secret|token)", r"""\\*['"]"""
_OPTION = rf"(?<![\w-])--[\w-]{{0,40}}?{_NAMED}"
_ITEM = r"""(?!--)[^'"\\]+"""
_NEXT = rf"{_QUOTE}\s*,\s*{_QUOTE}"
_SECRET = re.compile(
    rf"""({_NAMED}(?:{_QUOTE})?\s*[=:]\s*\[\s*(?={_QUOTE}))[^\]]+"""  # a list, or half of one
    rf"|({_OPTION}{_NEXT}){_ITEM}(?:{_NEXT}{_ITEM})*"  # an option in a list, and its values
    r"|(?<![\w-])(--api-key\s+)(?!-)\S+(?:\s+(?!-)\S+)*"  # vLLM takes several
    rf"|({_OPTION}\s+)(?!-)\S+"
    rf"|(\bbearer\s+|basic\s+|{_NAMED}(?:{_QUOTE})?\s*[=:]\s*(?:\[|{_QUOTE})*(?:bearer\s+)?"
    r"|(?=\bhf_\w{20})|//[^/\s:]*:(?=[^/\s]+@))"
    r"""[^\s'",\]\\]+""",
    re.IGNORECASE,
)
STAGES = ("plan", "download", "build", "mirror", "register", "deploy", "verify", "report")
"""The order of a run, which numbers the files: stages of one run may write from different pods."""


@dataclass
class Handle:
    """What a stage says about itself; nothing said means that it succeeded without a result."""

    status: Status = "succeeded"
    detail: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    record: StageRecord | None = None
    """The record that was written, once the stage has ended well."""

    def done(self, result: Any, detail: str = "") -> None:
        """Record what the stage returned: a value, or a mapping."""
        self._set("succeeded", detail, result)

    def skip(self, detail: str, result: Any = None) -> None:
        """Record that nothing was done, and why; `result` is what stood there already."""
        self._set("skipped", detail, result)

    def render(self, detail: str, result: Any = None) -> None:
        """Record that the stage wrote what it would apply, and applied nothing."""
        self._set("rendered", detail, result)

    def ended(self, record: StageRecord, seconds: float) -> StageRecord:
        """Return the record of the stage with what it said, after so many seconds."""
        told = replace(record, status=self.status, detail=self.detail, result=self.result)
        return replace(told, seconds=seconds)

    def _set(self, status: Status, detail: str, result: Any) -> None:
        told = to_json(result)
        self.status, self.detail = status, detail
        self.result = told if isinstance(told, dict) else {}


Keep = Callable[[StageRecord], None]


class RunRecorder:
    """Writes the records of one run; safe for several pods that each run one stage.

    Without a `folder` it writes none. `told` hears of each stage that has ended.
    """

    def __init__(self, folder: Path | None, run_id: str, told: Keep = lambda record: None) -> None:
        self.folder = place(folder, run_id) if folder else None
        self._told = told

    @contextmanager
    def stage(self, name: str) -> Iterator[Handle]:
        """Record the stage `name` around its work; an error is recorded and raised again."""
        record = StageRecord(name, "running", time.time())
        began = time.monotonic()
        handle = Handle()
        self._begin(record)
        try:
            yield handle
        except BaseException as error:
            known = replace(record, result=handle.result)
            self._write_failure(_failed(known, error, time.monotonic() - began), error)
            raise
        handle.record = handle.ended(record, time.monotonic() - began)
        self.put(handle.record)

    def _begin(self, record: StageRecord) -> None:
        try:
            self.write(record)
        except ModelCarError as error:
            self._told(_failed(record, error, 0.0))
            raise

    def put(self, record: StageRecord) -> None:
        """Write the record of a stage that has ended; raise ModelCarError where that fails."""
        self._told(record)
        self.write(record)

    def write(self, record: StageRecord) -> None:
        """Write a record where there is a folder; raise ModelCarError where that fails."""
        if self.folder is None:
            return
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
            self.put(record)
        except ModelCarError as second:
            # The stage's own error matters more than that its record could not be written.
            log.error("%s", second)
            error.add_note(f"its record could not be written: {second}")


def place(folder: Path, run_id: str) -> Path:
    """Return where the records of a run lie; raise UsageError for an id that names no folder."""
    if re.fullmatch(r"[A-Za-z0-9][\w.-]{0,199}", run_id) is None:
        why = "it is not a name for a folder"
        raise UsageError(f"run id {run_id!r}", why, "use letters, digits, '-', '_' and '.'")
    return folder / "records" / run_id


def sound(record: StageRecord) -> None:
    """Raise ValueError for a record whose fields are not those of one."""
    texts = (record.name, record.detail, record.error)
    times = (record.started, record.seconds)
    fine = (
        record.status in get_args(Status)
        and all(isinstance(text, str) for text in texts)
        and all(isinstance(time, int | float) and 0 <= time < FAR for time in times)
        and isinstance(record.result, Mapping)
    )
    if not fine:
        raise ValueError("its fields are not those of a stage record")


def _file_name(stage: str) -> str:
    if re.fullmatch(r"[a-z][a-z0-9-]*", stage) is None:
        raise UsageError(f"stage {stage!r}", "it is not a stage's name", f"name one of {STAGES}")
    number = STAGES.index(stage) if stage in STAGES else len(STAGES)
    return f"{number + 1:02d}-{stage}.json"


def _failed(record: StageRecord, error: BaseException, seconds: float) -> StageRecord:
    """Return the record of a failure; what the stage had said of its result before stays."""
    if type(error) is KeyboardInterrupt:
        error = ModelCarError(record.name, "it was interrupted", Stopped.remedy)
    if isinstance(error, ModelCarError | Stopped):
        told = {**record.result, "what": error.what, "why": error.why, "remedy": error.remedy}
        if quoted := [harmless(note) for note in getattr(error, "__notes__", ())[:_QUOTED]]:
            told["evidence"] = quoted
        return replace(record, status="failed", seconds=seconds, error=str(error), result=told)
    text = _hidden(f"{type(error).__name__}: {error}".removesuffix(": "))
    return replace(record, status="failed", seconds=seconds, error=text)


def harmless(quoted: str) -> str:
    """Return a line that another wrote, without what looks like a secret."""
    return line(_hidden(quoted))


def _hidden(text: str) -> str:
    """Return `text` with what stands before a secret, and none: one group of each form is met."""
    return _SECRET.sub(r"\1\2\3\4\5***", text)
