"""Runs from plan to register whose peers and networks fail, by schedules drawn from seeds.

Each ends with the right digest everywhere, or with one line that names the peer and a remedy; what
stands under a tag is whole; and the same command, once the faults are over, ends well.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

import pytest

from tests.campaigns.befalling import Befalling
from tests.campaigns.extent import seeds
from tests.campaigns.figures import note
from tests.campaigns.miniature import HURRIED
from tests.campaigns.place import Place, Servers, nowhere, one_line, place, told
from tests.campaigns.schedule import REQUESTS, Peer, Schedule, draw

BOUND: Final = 100.0
"""Seconds: each timeout of a run in miniature five times, for two peers after another."""
_NAMES: Final[Mapping[Peer, tuple[str, ...]]] = {"hub": ("hf://", "the Hub"), "mirror": ("skopeo",)}


@dataclass(frozen=True)
class Trial:
    """A run under a schedule; `over` ends its faults."""

    place: Place
    schedule: Schedule
    befalling: Mapping[Peer, Befalling]
    ended: threading.Event

    def run(self) -> CompletedProcess[str]:
        return self.place.run(*self.schedule.options)

    def again(self) -> CompletedProcess[str]:
        """Run once more where nothing fails."""
        self.ended.set()
        for one in self.befalling.values():
            one.end()
        return self.place.healed().run(*self.schedule.options)

    @property
    def met(self) -> int:
        """How many requests a fault befell, and peers that were not there."""
        return sum(one.met for one in self.befalling.values()) + len(self.place.absent)


@contextmanager
def trial(servers: Servers, folder: Path, schedule: Schedule) -> Iterator[Trial]:
    ended = threading.Event()
    befalling = {peer: Befalling(peer, schedule.faults, ended) for peer in REQUESTS}
    absent = {peer: nowhere(kind) for peer in REQUESTS if (kind := schedule.absent(peer))}
    meet = {peer: one.meet for peer, one in befalling.items()}
    where = (servers, folder, f"faults/{schedule.seed}", meet)
    with place(*where, absent=absent, base_at_registry=schedule.base_at_registry) as found:
        try:
            hurried = replace(found, variables={HURRIED: "1"})
            yield Trial(hurried, schedule, befalling, ended)
        finally:
            ended.set()


@pytest.fixture(scope="session")
def right(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, str]:
    """Return the digest that a run without a fault gives, by where its base is."""
    found = {}
    for at_registry in (False, True):
        schedule = Schedule(10**6 + at_registry, (), (), base_at_registry=at_registry)
        with trial(servers, tmp_path_factory.mktemp("right"), schedule) as one:
            found[at_registry] = told(one.run())["digest"]
    return found


@pytest.mark.parametrize("seed", seeds(10, 300))
def test_a_run_ends_right_or_says_who_failed(
    seed: int, servers: Servers, right: dict[bool, str], tmp_path: Path
) -> None:
    print(schedule := draw(seed))  # noqa: T201  what a failure shows
    digest = right[schedule.base_at_registry]
    with trial(servers, tmp_path, schedule) as found:
        began = time.monotonic()
        first = found.run()
        seconds = time.monotonic() - began
        print(first.stderr)  # noqa: T201
        hold(found.place, digest, ended_well=first.returncode == 0)
        if first.returncode:
            assert_names(one_line(first), found.place, schedule)
            assert told(found.again())["digest"] == digest
            hold(found.place, digest, ended_well=True)
    assert seconds < BOUND
    kinds = sorted({fault.kind for fault in schedule.faults})
    note("faults", seed, code=first.returncode, met=found.met, seconds=seconds, kinds=kinds)


def hold(found: Place, right: str, *, ended_well: bool) -> None:
    """Have nothing stand anywhere but the right image, whole, and after a good end have it all."""
    if ended_well:
        found.hold(right)
    else:
        assert set(found.stand()) <= {right, None}
        assert found.registered() in ([], [f"oci://{found.image}@{right}"])


def assert_names(line: str, found: Place, schedule: Schedule) -> None:
    """Have the line name one of the peers that a fault befell."""
    peers = {fault.peer for fault in schedule.faults}
    names = [name for peer in peers for name in (found.named(peer), *_NAMES.get(peer, ()))]
    assert any(name in line for name in names), line
