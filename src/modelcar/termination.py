"""A task's last words: its records, in the file that Kubernetes shows in the pod's status.

Who may read the pods of a run reads there what became of a task that never wrote to the volume.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from modelcar.records import sound
from modelcar.values import StageRecord, from_json, to_json

VARIABLE: Final = "MODELCAR_TERMINATION_LOG"
"""Names the file where a pod's is not at the usual path."""
_USUAL: Final = "/dev/termination-log"
# Kubernetes keeps 4096 bytes of a container's; one task may leave two records.
_MOST: Final = 2000
_WAYS: Final = ((1200, True), (600, True), (600, False), (200, False), (100, False), (0, False))
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
    """Return the record, its texts cut to so many letters; at 0 also without its result."""
    told = to_json(replace(record, detail=record.detail[:letters], error=record.error[:letters]))
    assert isinstance(told, dict)  # noqa: S101  as every dataclass
    return {**told, "result": _kept(record.result, letters, lists) if letters else {}}


def _kept(value: Any, letters: int, lists: bool) -> Any:
    """Return a result whose texts are cut, and whose lists are whole or empty."""
    if isinstance(value, str):
        return value[:letters]
    if isinstance(value, Mapping):
        return {key: _kept(item, letters, lists) for key, item in value.items()}
    if isinstance(value, list):
        return [_kept(item, letters, lists) for item in value] if lists else []
    return value


def _dumped(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode(errors="replace")


def _record(line: str) -> StageRecord | None:
    try:
        found: StageRecord = from_json(StageRecord, json.loads(line))
        sound(found)
    except (ValueError, TypeError, RecursionError):
        return None
    return found
