"""Try again what may go well later: five times without progress, with growing pauses."""

import logging
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from modelcar.errors import ServerError

ATTEMPTS: Final = 5
PAUSE: Final = 0.5
"""Seconds before the second try; they double with each one."""
TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
"""The statuses of HTTP that may pass."""
T = TypeVar("T")
log = logging.getLogger(__name__)


class Patience:
    """Waits between the tries of one thing, and ends them when they lead nowhere."""

    def __init__(self) -> None:
        self._tried, self._reached = 0, -1

    def wait(self, error: ServerError, reached: int = -1) -> None:
        """Sleep before the next try; raise `error` when it cannot pass, or after five in vain.

        `reached` is how far the thing has come, in bytes: progress makes patience new.
        """
        if reached > self._reached:
            self._tried, self._reached = 0, reached
        self._tried += 1
        if self._tried == ATTEMPTS or not error.may_pass:
            raise error
        pause = backoff(self._tried - 1, error.retry_after)
        told = (error.what, error.why, self._tried + 1, ATTEMPTS, pause)
        log.warning("%s: %s; try %d of %d in %.1f s", *told)
        time.sleep(pause)


def retrying(attempt: Callable[[], T]) -> T:
    """Return what `attempt` returns; call it again while the fault may pass."""
    patience = Patience()
    while True:
        try:
            return attempt()
        except ServerError as error:
            patience.wait(error)


def backoff(attempt: int, retry_after: str | None = None) -> float:
    """Return the seconds to wait before try `attempt` + 1: doubled each time, with jitter."""
    if retry_after and retry_after.isdecimal():
        return min(float(retry_after), 120.0)
    return float(min(PAUSE * 2**attempt, 30.0) * random.uniform(0.5, 1.0))  # noqa: S311
