"""A task's last words: its records, in the file that Kubernetes shows in the pod's status.

Who may read the pods of a run reads there what became of a task that never wrote to the volume.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

from modelcar.errors import ModelCarError
from modelcar.records import sound
from modelcar.values import StageRecord, from_json, to_json

VARIABLE: Final = "MODELCAR_TERMINATION_LOG"
"""Names the file where a pod's is not at the usual path."""
_USUAL: Final = "/dev/termination-log"
# Kubernetes keeps 4096 bytes of a container's; one task may leave two records.
_MOST: Final = 2000
_WAYS: Final = ((1200, True), (600, True), *((n, False) for n in (1200, 600, 400, 200, 100, 0)))
"""How much of a record is left, as far as there is room: letters of each text, and lists."""


def leave(record: StageRecord) -> None:
    """Append the record in short, where this process runs in a container of Kubernetes."""
    path = Path(os.environ.get(VARIABLE) or _USUAL)
    if not path.is_file():
        return
    with suppress(OSError), path.open("a", encoding="utf-8") as stream:  # a courtesy, no duty
        stream.write(_dumped(short(record)).decode() + "\n")


def read(message: str) -> tuple[StageRecord, ...]:
    """Return the records that a message holds, none of what is something else."""
    return tuple(filter(None, map(_record, message.splitlines())))


def short(record: StageRecord) -> dict[str, Any]:
    """Return the record in JSON types, in less than two thousand bytes of JSON."""
    tries = (_cut(record, *way) for way in _WAYS)
    return next(told for told in tries if len(_dumped(told)) < _MOST or not told["result"])


def _cut(record: StageRecord, letters: int, lists: bool) -> dict[str, Any]:
    """Return the record, its texts cut to so many letters; at 0 also without its result.

    An error that its parts tell is not told twice.
    """
    error = "" if record.error == _error(record.result) else _kept(record.error, letters, lists)
    told = to_json(replace(record, detail=_kept(record.detail, letters, lists), error=error))
    assert isinstance(told, dict)  # noqa: S101  as every dataclass
    return {**told, "result": _kept(record.result, letters, lists) if letters else {}}


def _kept(value: Any, letters: int, lists: bool) -> Any:
    """Return a result whose texts are cut, and whose lists are whole or empty.

    Without lists, of a failure's evidence the last lines are left, and no model card.
    """
    if isinstance(value, str):
        return value[:letters] + "…" * (len(value) > letters)
    if isinstance(value, Mapping):
        left = {key: item for key, item in value.items() if lists or key != "card"}
        found = {key: _kept(item, letters, lists) for key, item in left.items()}
        quoted = value.get("evidence")
        return {**found, "evidence": _last(quoted, letters)} if quoted and not lists else found
    if isinstance(value, list):
        return [_kept(item, letters, lists) for item in value] if lists else []
    return value


def _last(lines: Sequence[str], letters: int) -> list[str]:
    """Return the last lines that together have no more than so many letters."""
    lengths = accumulate(len(one) for one in reversed(lines))
    count = sum(1 for length in lengths if length <= letters)
    return list(lines[len(lines) - count :])


def _error(result: Mapping[str, Any]) -> str:
    """Return the error that a failure's parts make; empty where there are none."""
    what, why, remedy = (str(result.get(part, "")) for part in ("what", "why", "remedy"))
    return str(ModelCarError(what, why, remedy)) if what else ""


def _dumped(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode(errors="replace")


def _record(line: str) -> StageRecord | None:
    try:
        found: StageRecord = from_json(StageRecord, json.loads(line))
        sound(found)
    except (ValueError, TypeError, RecursionError):
        return None
    failed = found.status == "failed" and not found.error
    return replace(found, error=_error(found.result)) if failed else found
