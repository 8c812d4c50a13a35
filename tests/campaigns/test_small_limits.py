"""Runs with little room, little memory and few files: each ends well, or says what it lacks."""

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from tests.byte_path import MODELCAR, safetensors, tiny
from tests.cage import refusal
from tests.campaigns.extent import full, seeds
from tests.campaigns.figures import note
from tests.campaigns.place import MINIATURE, Place, Servers, one_line, place, told
from tests.campaigns.schedule import REQUESTS
from tests.campaigns.streaming_proxy import Passage
from tests.servers.hub import HubServer
from tests.small_volume import small_volume

LARGE: Final = "example/large"
MEMORY: Final = 256 << 20
"""Bytes that a process may have for itself, as RLIMIT_DATA counts them: heaps and stacks."""
SHARD: Final = 80 << 20
ROOMS: Final = (64 << 10, 4 << 20)
"""Bytes: the volumes of a campaign have between these; a model in miniature takes 3 MB."""


@contextmanager
def placed(servers: Servers, folder: Path, name: str) -> Iterator[Place]:
    meet = {peer: lambda method, path: Passage() for peer in REQUESTS}
    where = (servers, folder, f"limits/{name}", meet)
    with place(*where, absent={}, base_at_registry=False) as found:
        yield found


@pytest.mark.parametrize("seed", seeds(3, 40))
@pytest.mark.parametrize("options", [(), ("--keep-files",)], ids=["streamed", "kept"])
def test_on_a_volume_of_any_size_a_run_ends_well_or_names_it(
    seed: int, options: tuple[str, ...], servers: Servers, tmp_path: Path
) -> None:
    if why := refusal():
        pytest.skip(f"only root mounts a small volume: {why}")
    size = random.Random(seed).randrange(*ROOMS)
    folder = tmp_path / "volume"
    folder.mkdir()
    with small_volume(folder, size) as volume, placed(servers, folder, f"{seed}/full") as found:
        first = found.run(*options)
        if first.returncode:
            line = one_line(first)
            assert str(folder) in line, line
            assert "No space left on device" in line, line
            assert found.stand()[1] is None or found.stand()[0] == found.stand()[1]
        volume.resize(64 << 20)
        found.hold(told(found.run(*options))["digest"])
    note("full volume", seed, code=first.returncode, kept=bool(options))


@pytest.mark.parametrize("options", [(), ("--keep-files",)], ids=["streamed", "kept"])
def test_a_read_only_volume_is_named(
    options: tuple[str, ...], servers: Servers, tmp_path: Path
) -> None:
    if why := refusal():
        pytest.skip(f"only root mounts a small volume: {why}")
    folder = tmp_path / "volume"
    folder.mkdir()
    with small_volume(folder, 8 << 20) as volume, placed(servers, folder, "read-only") as found:
        found.write_site()
        volume.remount("ro")
        line = one_line(found.run(*options))
        volume.remount("rw")
    assert str(folder) in line
    assert "Read-only file system" in line


@pytest.mark.parametrize("seed", seeds(2, 20))
def test_a_quota_that_ends_is_named(seed: int, servers: Servers, tmp_path: Path) -> None:
    """Have the kernel answer EDQUOT to a write in the work folder, as strace can."""
    work = tmp_path / "work"
    journals = [work / ".modelcar" / f"{name}.jsonl" for name in ("files", "layers", "images")]
    at = random.Random(seed).randrange(1, 4)
    inject = ["-e", "trace=write", "-e", f"inject=write:error=EDQUOT:when={at}+"]
    paths = [word for path in journals for word in ("-P", str(path))]
    before = _strace(tmp_path, *inject, *paths)
    with placed(servers, tmp_path, f"{seed}/quota") as found:
        first = replace(found, program=(*before, *MINIATURE)).run("--keep-files")
        line = one_line(first)
        assert str(work) in line
        assert "Disk quota exceeded" in line
        found.hold(told(found.run("--keep-files"))["digest"])
    note("quota", seed, code=first.returncode)


def _strace(folder: Path, *options: str) -> list[str]:
    program = shutil.which("strace")
    if program is None:
        pytest.skip("strace is not installed, by which a quota is played")
    before = [program, "--follow-forks", "--seccomp-bpf", "--output=/dev/null", *options]
    tried = subprocess.run([*before, "true"], cwd=folder, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"strace may not trace here: {tried.stderr.strip()}")
    return before


@pytest.fixture(scope="module")
def large(servers: Servers) -> Iterator[Servers]:
    """Return the servers with a Hub that has a model larger than the memory."""
    shards = [f"model-0000{number}-of-00004.safetensors" for number in (1, 2, 3, 4)]
    index = b'{"weight_map": {%s}}' % b", ".join(
        b'"w%d": "%s"' % (at, name.encode()) for at, name in enumerate(shards)
    )
    others = {
        path: data
        for path, data in tiny().items()
        if not path.endswith((".bin", "model.safetensors"))
    }
    weights = {name: safetensors(SHARD, at) for at, name in enumerate(shards)}
    model = {**others, **weights, "model.safetensors.index.json": index}
    with HubServer({LARGE: model}) as hub:
        hub.commit(LARGE)  # its checksums, before anyone waits for them
        yield replace(servers, hub=hub)


LIMITS: Final[Mapping[str, Sequence[str]]] = {
    "both": (f"--data={MEMORY}:{MEMORY}", "--nofile=64:64"),
    "256 MB of memory": (f"--data={MEMORY}:{MEMORY}",),
    "64 open files": ("--nofile=64:64",),
}


def prlimit() -> str:
    program = shutil.which("prlimit")
    if program is None:
        pytest.skip("prlimit is not installed")
    return program


def test_the_limits_are_held() -> None:
    asks = "files = [open('/dev/null') for _ in range(64)]", f"bytearray({MEMORY})"
    for ask, answer in zip(asks, ("Too many open files", "MemoryError"), strict=True):
        argv = [prlimit(), *LIMITS["both"], sys.executable, "-c", ask]
        done = subprocess.run(argv, capture_output=True, text=True)
        assert answer in done.stderr


@pytest.mark.parametrize("limit", LIMITS if full() else ["both"])
@pytest.mark.parametrize("options", [(), ("--keep-files",)], ids=["streamed", "kept"])
def test_a_model_larger_than_the_memory_passes_through_little(
    limit: str, options: tuple[str, ...], large: Servers, tmp_path: Path
) -> None:
    name = re.sub(r"\W", "-", f"{limit}{options}".lower()).strip("-")
    with placed(large, tmp_path, name) as found:
        narrow = replace(found, repo=LARGE, program=(prlimit(), *LIMITS[limit], MODELCAR))
        narrow.hold(told(narrow.run(*options))["digest"])
    note("small limits", f"{limit} {options}", code=0)
