"""Runs upon what a crash left half written: cut files, zeros in place of data, files gone."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.byte_path import REPO
from tests.campaigns.extent import seeds
from tests.campaigns.figures import note
from tests.campaigns.place import Servers, files, place, told
from tests.campaigns.schedule import REQUESTS
from tests.campaigns.streaming_proxy import Passage

Damage = Callable[[random.Random, bytes], bytes | None]
DAMAGES: Final[tuple[Damage, ...]] = (
    lambda chance, data: data,
    lambda chance, data: data[: chance.randrange(len(data) + 1)],
    lambda chance, data: bytes(len(data)),  # what ext4 and XFS give after a loss of power
    lambda chance, data: data[: len(data) // 2] + bytes(len(data) - len(data) // 2),
    lambda chance, data: chance.randbytes(len(data)),
    lambda chance, data: None,
)


@pytest.mark.parametrize("seed", seeds(3, 60))
def test_what_is_half_written_is_found_and_redone(
    seed: int, servers: Servers, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    meet = {peer: lambda method, path: Passage() for peer in REQUESTS}
    with place(
        servers, tmp_path, f"half/{seed}/a", meet, absent={}, base_at_registry=False
    ) as found:
        right = told(found.run("--keep-files"))["digest"]
    changed = [path for path in below(tmp_path / "work") if damaged(chance, path)]
    with place(
        servers, tmp_path, f"half/{seed}/b", meet, absent={}, base_at_registry=False
    ) as found:
        done = found.run("--keep-files")
        assert told(done)["digest"] == right, done.stderr
        found.hold(right)
    assert not list((tmp_path / "work/.modelcar/partial").iterdir())
    note("half written", seed, damaged=len(changed), of=len(below(tmp_path / "work")))
    kept = tmp_path / "work" / REPO.replace("/", "--")
    lies = {path.relative_to(kept).as_posix(): path.read_bytes() for path in below(kept)}
    assert lies.items() <= files().items()


def below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def damaged(chance: random.Random, path: Path) -> bool:
    """Damage the file, or leave it; half of the changed ones look as old as before."""
    stat, before = path.stat(), path.read_bytes()
    after = chance.choice(DAMAGES)(chance, before)
    if after is None:
        path.unlink()
    elif after != before:
        path.write_bytes(after)
        if chance.random() < 0.5:
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return after != before
