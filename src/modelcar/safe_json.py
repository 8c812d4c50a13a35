"""JSON that strangers wrote: a text of few bytes must not become many in memory."""

import json
from typing import Any, Final

MOST: Final = 2_000_000
"""Values: a listing of 100,000 files has fewer, and in memory none takes more than 150 bytes."""


def hold(text: str | bytes) -> None:
    """Raise ValueError for a text of too many values, before any is read."""
    counts = map(text.count, ",[{") if isinstance(text, str) else map(text.count, b",[{")
    if sum(counts) > MOST:
        raise ValueError(f"it has more than {MOST} values")


def parse(text: str | bytes) -> Any:
    """Return what a JSON text says; raise ValueError for none, and for one of too many values."""
    hold(text)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
