"""Runs that are killed at moments drawn from seeds, and the same command again.

A moment is a request, a block of a body or an answer at any of the peers, and up to 30 ms later;
half of the second runs have a fresh work folder.
"""

import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.campaigns.extent import seeds
from tests.campaigns.figures import note
from tests.campaigns.place import Place, Servers, ended, place, told
from tests.campaigns.schedule import REQUESTS
from tests.campaigns.streaming_proxy import Passage

_ENDED: Final = {
    signal.SIGKILL: (-signal.SIGKILL, 0),
    signal.SIGTERM: (143, -signal.SIGTERM, 0),  # before Python heeds it, or after the end
}


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


def draw(seed: int, events: int) -> Moment:
    chance = random.Random(seed)
    at = chance.randrange(events + 1)
    later = chance.random() * (0.03 if at else 1.0)
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


@contextmanager
def placed(servers: Servers, folder: Path, name: str) -> Iterator[tuple[Place, Events]]:
    events = Events()
    meet = {peer: lambda method, path: Passage() for peer in REQUESTS}
    where = (servers, folder, f"kills/{name}", meet)
    with place(*where, absent={}, base_at_registry=False, event=events) as found:
        yield found, events


@dataclass(frozen=True)
class Undisturbed:
    digest: str
    events: int


@pytest.fixture(scope="session")
def undisturbed(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    with placed(servers, tmp_path_factory.mktemp("undisturbed"), "undisturbed") as (found, events):
        return Undisturbed(told(found.run())["digest"], events.count)


@pytest.mark.parametrize("seed", seeds(10, 200))
def test_after_a_kill_the_same_command_ends_well(
    seed: int, servers: Servers, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    print(moment := draw(seed, undisturbed.events))  # noqa: T201  what a failure shows
    with placed(servers, tmp_path, str(seed)) as (found, events):
        process = found.begin(*moment.options)
        events.arm(process, moment)
        first = ended(process)
        assert first.returncode in _ENDED[moment.sent], first.stderr
        assert "Traceback" not in first.stderr
        assert set(found.stand()) <= {undisturbed.digest, None}
        left = temporary(found)
        if moment.sent == signal.SIGTERM:
            assert not left
        second = found.run(*moment.options, work="fresh" if moment.fresh else "work")
        assert told(second)["digest"] == undisturbed.digest
        found.hold(undisturbed.digest)
        assert temporary(found) == left
        assert litter(tmp_path, "fresh" if moment.fresh else "work") == []
    note("kills", seed, code=first.returncode, sent=moment.sent.name, fresh=moment.fresh)


def temporary(found: Place) -> set[str]:
    """Return what lies in the folder of temporary files."""
    return {path.name for path in (found.folder / "tmp").iterdir()}


def litter(folder: Path, work: str) -> list[str]:
    """Return what a run leaves only when it does not end."""
    begun = [*(folder / work / ".modelcar").glob("partial/*")]
    begun += (folder / work / ".modelcar").glob("uploads/*")
    hidden = [path for name in (work, "out") for path in (folder / name).rglob(".*")]
    return [str(path) for path in (*begun, *hidden) if path.name != ".modelcar"]
