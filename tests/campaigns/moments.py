"""When a run is killed: at a request, a block of a body or an answer at any of its peers."""

import random
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import Final

ENDED: Final = {
    signal.SIGKILL: (-signal.SIGKILL, 0),
    signal.SIGTERM: (143, -signal.SIGTERM, 0),  # before Python heeds it, or after the end
}
"""The exit codes of a process that was sent a signal."""


@dataclass(frozen=True)
class Moment:
    """When and how a run is killed, and how the next one begins."""

    seed: int
    sent: signal.Signals
    at: int
    """The number of the event; 0: as the process starts."""
    later: float
    """Seconds between the event and the signal."""
    fresh: bool
    """Whether the next run has a work folder of its own."""
    options: tuple[str, ...]


def draw(seed: int, events: int, first: int = 0, longest: float = 0.03) -> Moment:
    """Return the moment of a seed: at one of `events` from the `first` on, or a little later.

    `longest` is how much later at most, in seconds.
    """
    chance = random.Random(seed)
    at = chance.randrange(first, events + 1)
    later = chance.random() * (longest if at else 1.0)
    return Moment(
        seed,
        chance.choice((signal.SIGKILL, signal.SIGTERM)),
        at,
        later if not at or chance.random() < 0.5 else 0.0,
        fresh=seed % 2 == 0,
        options=chance.choice(((), ("--keep-files",))),
    )


class Events:
    """Counts what happens at the peers, and kills the victim at its moment."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()
        self._moment: Moment | None = None
        self._victim: subprocess.Popen[str] | None = None

    def arm(self, victim: subprocess.Popen[str], moment: Moment) -> None:
        with self._lock:
            self._victim, self._moment = victim, moment
            if not moment.at:
                self._strike(moment)

    def __call__(self) -> None:
        with self._lock:
            self.count += 1
            if self._moment is not None and self.count == self._moment.at:
                self._strike(self._moment)

    def _strike(self, moment: Moment) -> None:
        assert self._victim is not None
        threading.Timer(moment.later, self._victim.send_signal, (moment.sent,)).start()
