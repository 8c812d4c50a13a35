"""How a long transfer tells how far it is."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, Self

from modelcar.wording import duration, rate, size

Advance = Callable[[int], None]
WORTH_SHOWING = 1_000_000
"""Bytes: what is smaller is through before it could be read about."""
log = logging.getLogger(__name__)


class Progress(Protocol):
    """Shows transfers while it is entered."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(self, *_: object) -> None:
        """Show no more."""

    def transfer(self, label: str, total: int) -> AbstractContextManager[Advance]:
        """Show a transfer of `total` bytes; what it yields takes the bytes that just moved."""


class LogLines:
    """One line when a transfer ends: for logs, and for terminals without colour."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    @contextmanager
    def transfer(self, label: str, total: int) -> Iterator[Advance]:
        """Log `label` with its size, time and rate once it is through, unless it is small."""
        began = time.monotonic()
        yield lambda _: None
        if total < WORTH_SHOWING:
            return
        seconds = time.monotonic() - began
        log.info("%s: %s in %s, %s", label, size(total), duration(seconds), rate(total, seconds))
