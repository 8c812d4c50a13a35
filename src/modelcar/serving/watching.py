"""Looking at the cluster again and again, through broken watches and an API server that is away."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from modelcar.cluster import refusal
from modelcar.errors import DeployError

log = logging.getLogger(__name__)

_WINDOW = 10.0
"""Seconds after which all is read again though what is watched did not change."""
_POLL = 5.0
"""Seconds between two looks where the server refuses to be watched."""
_LEAST = 1.0
"""Seconds between two looks where a watch ends without a change."""
_PASSING = (0, 410, 429, 500, 502, 503, 504)
T = TypeVar("T")


@dataclass(slots=True)
class Watching:
    """One wait, until `deadline` by the monotonic clock; `what` heads errors, `name` the log."""

    what: str
    name: str
    deadline: float
    _said: set[str] = field(default_factory=set)

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def read(self, look: Callable[[], T]) -> T:
        """Return what `look` reads; an API server that is away is asked until the deadline."""
        from kubernetes.client.rest import ApiException
        from urllib3.exceptions import HTTPError

        while True:
            try:
                return look()
            except ApiException as error:
                if error.status not in _PASSING or self.left < 0:
                    raise refusal(self.what, error) from error
            except HTTPError as error:
                if self.left < 0:
                    raise DeployError(self.what, f"the API server is away ({error})") from error
                self.say("the API server is away, and is asked again")
            time.sleep(1)

    def pause(self, await_change: Callable[[float], bool], seconds: float) -> None:
        """Wait for a change, for at most `seconds`; `await_change` returns whether one came.

        A watch that breaks or expires ends the pause: the next look reads anew, and the next watch
        goes on from there. One that ends at once is not tried again at once.
        """
        from kubernetes.client.rest import ApiException
        from urllib3.exceptions import HTTPError

        seconds, began = min(_WINDOW, self.left, max(seconds, 1.0)), time.monotonic()
        least = 0.0
        try:
            least = _LEAST if not await_change(seconds) else 0.0
        except ApiException as error:
            if error.status == 403:
                self.say("it may not be watched: read every few seconds", logging.WARNING)
            elif error.status not in _PASSING:
                raise refusal(self.what, error) from error
            least = _POLL
        except HTTPError as error:
            log.info("%s: the watch broke, and is taken up again (%s)", self.name, error)
            least = _LEAST
        time.sleep(max(0.0, min(seconds, least - (time.monotonic() - began))))

    def say(self, line: str, level: int = logging.INFO) -> None:
        """Log a line, once."""
        if line not in self._said:
            self._said.add(line)
            log.log(level, "%s: %s", self.name, line)
