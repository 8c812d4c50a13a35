"""An append-only file of JSON lines: what this work folder has already done.

A line is written whole or not at all; one that a crash tore is passed over, so a journal can only
forget work, never claim work that was not done.
"""

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelcar.errors import SourceError

log = logging.getLogger(__name__)


def append(path: Path, row: dict[str, Any]) -> None:
    """Append one row; parallel writers do not mix, since each row is one O_APPEND write.

    Raises SourceError when the disk refuses.
    """
    line = json.dumps(row, separators=(",", ":"), sort_keys=True) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, line.encode())
    except OSError as error:
        what, remedy = f"work folder {path.parent}", "free space there, or check its rights"
        raise SourceError(what, error.strerror or str(error), remedy) from error


def no_link(path: str | Path, flags: int) -> int:
    """Open a file that is to be written: no link to elsewhere, no pipe that nobody reads."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows, oldest first; lines that are no JSON object are logged and passed over."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            row = _parse(line)
            if row is not None:
                yield row
            elif line.strip():
                log.warning("%s: line %d is torn and was passed over", path, number)


def _write(path: Path, line: bytes) -> None:
    descriptor = no_link(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        # A torn line of an earlier crash must not swallow this one.
        os.write(descriptor, (b"" if _ends_clean(path) else b"\n") + line)
    finally:
        os.close(descriptor)


def _parse(line: str) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _ends_clean(path: Path) -> bool:
    with path.open("rb") as stream:
        if stream.seek(0, os.SEEK_END) == 0:
            return True
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
