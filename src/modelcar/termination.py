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

from modelcar.values import StageRecord, from_json, to_json

VARIABLE: Final = "MODELCAR_TERMINATION_LOG"
"""Names the file where a pod's is not at the usual path."""
_USUAL: Final = "/dev/termination-log"
# Kubernetes keeps 4096 bytes of a container's; one task may leave two records.
_MOST: Final = 2000
_LIMITS: Final = (600, 200, 60, 0)
_KEPT: Final = ("what", "why", "remedy", "name", "digest", "uri", "url", "path", "commit")


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
    return next(
        told for limit in _LIMITS if len(_dumped(told := _cut(record, limit))) < _MOST or not limit
    )


def _cut(record: StageRecord, limit: int) -> dict[str, Any]:
    """Return the record with what is kept of its result, its texts cut to a number of letters."""
    told = to_json(replace(record, detail=record.detail[:limit], error=record.error[:limit]))
    assert isinstance(told, dict)  # noqa: S101  as every dataclass
    return {**told, "result": _kept(record.result, limit)}


def _kept(result: Mapping[str, Any], limit: int) -> dict[str, Any]:
    texts = {
        key: text[:limit] for key, text in result.items() if key in _KEPT and isinstance(text, str)
    }
    image = result.get("image")
    return {**texts, "image": _kept(image, limit)} if isinstance(image, Mapping) else texts


def _dumped(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode()


def _record(line: str) -> StageRecord | None:
    try:
        told = json.loads(line)
        found: StageRecord = from_json(StageRecord, told)
    except (ValueError, TypeError):
        return None
    return found
