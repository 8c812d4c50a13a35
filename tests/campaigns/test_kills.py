"""Runs that are killed at moments drawn from seeds, and the same command again.

A moment is a request, a block of a body or an answer at any of the peers, and up to 30 ms later;
half of the second runs have a fresh work folder.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.campaigns.extent import seeds
from tests.campaigns.figures import note
from tests.campaigns.moments import ENDED, Events, draw
from tests.campaigns.place import Place, Servers, ended, place, told
from tests.campaigns.schedule import REQUESTS
from tests.campaigns.streaming_proxy import Passage


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


@pytest.mark.parametrize("seed", seeds(6, 170))
def test_after_a_kill_the_same_command_ends_well(
    seed: int, servers: Servers, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    print(moment := draw(seed, undisturbed.events))  # noqa: T201  what a failure shows
    with placed(servers, tmp_path, str(seed)) as (found, events):
        process = found.begin(*moment.options)
        events.arm(process, moment)
        first = ended(process)
        assert first.returncode in ENDED[moment.sent], first.stderr
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
    begun += (path for path in (folder / work).rglob(".*") if path.name != ".modelcar")
    # The one that was being written: nobody reads it, and its run writes there no more.
    shown = sorted((folder / "out").rglob(".*"))
    return [str(path) for path in (*begun, *shown[1:])]
