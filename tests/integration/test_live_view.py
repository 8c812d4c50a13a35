"""What people see of a run that goes on: on terminals of any size and kind, and in logs."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from modelcar.oci.reference import DigestReference
from tests.byte_path import REPO, safetensors, tiny
from tests.interrupting import Command, plain
from tests.screen import screen
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy, Gate
from tests.servers.hub import HubServer

MINIATURE = (sys.executable, "-m", "tests.campaigns.miniature")
ROOT = Path(__file__).resolve().parents[2]
# With job control, else nothing is there that could wake a stopped process.
SHELL = ("bash", "-c", 'set -m; "$@"; echo shell: $?; fg > /dev/null', "bash")
HELD = """
import os, signal, threading
from modelcar.resting import resting
guard, held = threading.RLock(), threading.Event()
def hold():
    guard.acquire()
    held.set()
    threading.Event().wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
with resting(lambda: 1, guard):
    os.kill(os.getpid(), signal.SIGTSTP)
print("it goes on")
"""
LARGE = 6 << 20
COLOR = re.compile(r"\x1b\[[0-9;]*m")
MOVES = re.compile(r"\x1b\[[0-9;]*[A-HJK]")
"""What moves the cursor, or erases."""
SHARDS = {f"model-0000{n}-of-00002.safetensors": safetensors(LARGE, n) for n in (1, 2)}
STAGES = ("plan", "download", "build", "mirror", "register", "deploy")
FILES = {path: data for path, data in tiny().items() if "safetensors" not in path} | SHARDS


@contextmanager
def held_run(
    folder: Path,
    oci_registry: DockerRegistry,
    base: DigestReference,
    terminal: tuple[int, int] | None,
    program: Sequence[str] = MINIATURE,
    **environment: str,
) -> Iterator[tuple[Command, list[Gate]]]:
    """Yield a run of which two uploads stand still, and what lets them go on."""
    with FaultyProxy(oci_registry.host) as proxy, HubServer({REPO: FILES}) as hub:
        gates = [proxy.stall("PATCH", 4 << 20) for _ in SHARDS]
        place = f"{proxy.host}/{folder.name.lower()}"
        site = {"hub": hub.url, "oci_registry": place, "images": {"base": str(base)}}
        (folder / "site.yaml").write_text(yaml.safe_dump(site))
        argv = ["run", f"hf://{REPO}"]
        variables = {"PYTHONPATH": str(ROOT), **environment}
        with Command(folder, argv, terminal, program, **variables) as command:
            for gate in gates:
                assert gate.reached.wait(60)
            yield command, gates


def finished(command: Command, gates: list[Gate]) -> str:
    for gate in gates:
        gate.release()
    shown = command.rest()
    assert command.process.returncode == 0, plain(shown)
    return shown


def test_stages_bars_speed_time_left_and_reuse(
    tmp_path: Path, oci_registry: DockerRegistry, base: DigestReference
) -> None:
    with held_run(tmp_path, oci_registry, base, (100, 30)) as (command, gates):
        command.await_shown("MB/s")
        while_held = command.shown
        command.await_shown("1 of 3 layers stand")
        whole = finished(command, gates)

    held = "\n".join(screen(while_held, 100))
    assert re.search(r"^plan +done +[\d.]+s  6 files in 3 layers: 12\.6 MB to download", held, re.M)
    assert re.search(r"^download +skipped", held, re.M)
    assert re.search(r"^build +running +[\d.]+s  [01] of 3 layers stand", held, re.M)
    assert re.search(r"^mirror +waiting", held, re.M)
    bar = r"^model-0000\d-of-00002.safetensors +\S+ +[\d.]+/6\.3 MB +[\d.]+ MB/s +\d+s"
    assert re.search(bar, held, re.M), held
    assert re.search(r"^total +\S+ +[\d.]+/12\.6 MB", held, re.M)
    assert "0 B reused" in held
    left = screen(whole, 100)
    assert [line.split()[0] for line in left if line.split(" ")[0] in STAGES] == [*STAGES]
    assert not [line for line in left if line.startswith(("model-", "total"))], "no bar stays"
    assert {"image", "report"} <= {line.split(" ")[0] for line in left}
    assert whole.rfind("\x1b[?25h") > whole.rfind("\x1b[?25l"), "the cursor is there again"


@pytest.mark.parametrize("size", [(40, 24), (80, 10), (60, 6)], ids=str)
def test_a_small_terminal_is_not_overrun(
    tmp_path: Path, oci_registry: DockerRegistry, base: DigestReference, size: tuple[int, int]
) -> None:
    with held_run(tmp_path, oci_registry, base, size) as (command, gates):
        command.await_shown("total")
        command.await_shown("MB/s")
        held = screen(command.shown, size[0])
        finished(command, gates)
    stages = [
        line for line in held if re.match("(plan|download|build|mirror|register|deploy) ", line)
    ]
    assert any(line.startswith("build ") for line in stages), "the one that runs is in sight"
    begins = held.index(stages[0])
    assert len(held) - begins <= size[1]
    assert any(line.startswith("total") for line in held)


def test_the_terminal_may_become_narrower_meanwhile(
    tmp_path: Path, oci_registry: DockerRegistry, base: DigestReference
) -> None:
    with held_run(tmp_path, oci_registry, base, (100, 30)) as (command, gates):
        command.await_shown("MB/s")
        command.resize(50, 30)
        command.await_shown("%")  # there is no room for bars
        whole = finished(command, gates)
    last = plain(whole).rpartition("plan ")[2].splitlines()
    begun = [line for line in last if not line.startswith(("image", "mirror  ", "report"))]
    assert max(map(len, begun)) <= 50


def test_a_run_that_rests_leaves_the_terminal_to_the_shell(
    tmp_path: Path, oci_registry: DockerRegistry, base: DigestReference
) -> None:
    program = (*SHELL, *MINIATURE)
    with held_run(tmp_path, oci_registry, base, (100, 30), program) as (command, gates):
        command.await_shown("MB/s")
        command.rest_now()
        command.await_shown("shell: 148")  # 128 and SIGTSTP
        whole = finished(command, gates)

    before, _, after = whole.partition("shell: 148")
    assert before.rfind("\x1b[?25h") > before.rfind("\x1b[?25l"), "the shell has a cursor"
    assert after.find("\x1b[?25l") < after.find("\x1b[?25h"), "then it is hidden again"
    left = screen(whole, 100)
    at = left.index("shell: 148")
    assert any(line.startswith("total") for line in left[:at]), "what was shown before stays"
    assert [line.split()[0] for line in left[at:] if line.split(" ")[0] in STAGES] == [*STAGES]


def test_a_picture_that_is_never_ready_keeps_nobody_from_resting(tmp_path: Path) -> None:
    program = (*SHELL, sys.executable, "-c", HELD)
    with Command(tmp_path, (), (80, 24), program, PYTHONPATH=str(ROOT)) as command:
        shown = plain(command.rest())
    assert shown.index("shell: 148") < shown.index("it goes on")


def test_without_colour_nothing_is_coloured(
    tmp_path: Path, oci_registry: DockerRegistry, base: DigestReference
) -> None:
    with held_run(tmp_path, oci_registry, base, (100, 30), NO_COLOR="1") as (command, gates):
        shown = finished(command, gates)
    coloured = [code for code in COLOR.findall(shown) if re.search(r"[39]\d", code)]
    assert coloured == []
    assert MOVES.search(shown)


@pytest.mark.parametrize(
    ("terminal", "environment"), [(None, {}), ((100, 30), {"TERM": "dumb"})], ids=["log", "dumb"]
)
def test_elsewhere_a_line_says_what_begins_and_ends(
    tmp_path: Path,
    oci_registry: DockerRegistry,
    base: DigestReference,
    terminal: tuple[int, int] | None,
    environment: dict[str, str],
) -> None:
    with held_run(tmp_path, oci_registry, base, terminal, **environment) as (command, gates):
        shown = finished(command, gates)
    assert "\x1b" not in shown
    lines = [re.sub(r"[\d.]+( [kM]B)?(/s|s\b)", "N", line) for line in plain(shown).splitlines()]
    told = [line for line in lines if not line.startswith(("preflight", "image", "report"))]
    assert told[0] == "plan: begins"
    assert "build: begins" in told
    assert len([line for line in told if line.startswith("push model-")]) == 2
    assert [line.partition(" after")[0] for line in told if " after " in line] == [
        "plan: done",
        "build: done",
    ]
    assert "register: rendered: " in "\n".join(told)
    assert len(told) < 30, "no flood"
