import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest

from modelcar import farewell
from modelcar.farewell import Farewell
from modelcar.values import (
    ModelSource,
    Moved,
    Plan,
    PlannedLayer,
    SourceFile,
    StageRecord,
)
from modelcar.view import Unseen
from tests import canary

STRUCK = """
import os, signal, sys
import click
from modelcar.cli_options import Group
from modelcar.standing import Standing
from modelcar.view import Unseen

class Struck(Standing):
    def told(self):
        os.kill(os.getpid(), signal.{second})
        return "struck"

@click.command(cls=Group)
def main(): pass

@main.command()
@click.pass_obj
def work(farewell):
    farewell.view = Unseen()
    farewell.view.standing = Struck()
    os.kill(os.getpid(), signal.{first})
    signal.pause()

main(["work"], "modelcar")
"""


def plan(layers: int, reused: int) -> Plan:
    items = tuple(
        PlannedLayer((SourceFile(f"{number}", 1000),), 1000, reused=number < reused)
        for number in range(layers)
    )
    files = tuple(file for item in items for file in item.files)
    moved = Moved(downloaded=400, uploaded=1000 * (layers - reused), reused=1000 * reused)
    return Plan("m", "1", ModelSource("hf", "o/m"), None, files, (), items, moved)


def last_words(view: Unseen) -> list[str]:
    said = Farewell()
    said.view = view
    said.typed("modelcar", ["build", "hf://o/m", "--to", "oci:my images:1"])
    return said.lines()


def begun(stage: str) -> Unseen:
    view = Unseen()
    view.stage(StageRecord(stage, "running", 0.0))
    return view


def test_the_layers_that_stand_are_counted_the_reused_ones_too() -> None:
    view = begun("build")
    view.standing.build(plan(9, reused=2), "quay.io/me/m")
    with view.transfer("push 3", 1000) as advance:
        advance(1000)
    assert last_words(view) == [
        "modelcar: interrupted in build: 3 of 9 layers stand at quay.io/me/m, "
        "1.0 kB of 7.0 kB moved",
        "to go on: modelcar build hf://o/m --to 'oci:my images:1'",
    ]


def test_before_the_first_layer_nothing_has_moved() -> None:
    assert last_words(begun("build"))[0] == (
        "modelcar: interrupted in build: nothing has moved yet"
    )


def test_of_a_download_the_bytes_are_told_and_where_they_lie() -> None:
    view = begun("download")
    view.standing.download(plan(2, reused=0), "/work")
    with view.transfer("download 1", 1000) as advance:
        advance(300)
    assert last_words(view)[0] == (
        "modelcar: interrupted in download: 300 B of 400 B moved into /work, "
        "where whole and half files stay"
    )


def test_a_verb_without_a_view_is_named() -> None:
    said = Farewell()
    said.typed("modelcar", ["-v", "versions", "m"])
    assert said.lines() == ["modelcar: interrupted in versions", "to go on: modelcar -v versions m"]


def test_what_looks_like_a_secret_is_not_repeated() -> None:
    own, login = canary.secret("own"), canary.secret("login")
    typed = ["x", f"https://me:{login}@host/a", "https://host/?X-Signature=abc&n=1", own]
    typed += [f"hf_{'a' * 34}", f"sha256~{'a' * 43}", f"sha256:{'ab' * 32}", "hf://hf_team/model"]
    shown = farewell.again("modelcar", typed, {"HF_TOKEN": own})
    assert shown == (
        "modelcar x 'https://…@host/a' 'https://host/?X-Signature=…&n=1' '…' '…' '…' "
        f"sha256:{'ab' * 32} hf://hf_team/model"
    )


def test_a_revision_of_the_hub_is_no_login() -> None:
    assert farewell.again("modelcar", ["run", "hf://gpt2@main"], {}) == (
        "modelcar run hf://gpt2@main"
    )


def test_a_password_with_an_at_sign_is_hidden_whole() -> None:
    typed = [f"https://me:{canary.secret('at')}@more@host/a@b"]
    assert farewell.again("modelcar", typed, {}) == "modelcar 'https://…@host/a@b'"


def test_of_what_was_registered_nothing_is_claimed() -> None:
    said = Farewell()
    said.typed("modelcar", ["register", "m"])
    assert said.lines() == ["modelcar: interrupted in register", "to go on: modelcar register m"]
    assert last_words(begun("register"))[0] == (
        "modelcar: interrupted in register: the image stands, and may not be registered yet"
    )


@pytest.fixture
def full_pipe() -> Iterator[int]:
    """Return the end of a pipe that nobody reads and that takes nothing more."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    with suppress(BlockingIOError):
        while True:
            os.write(told, b"x" * 4096)
    os.set_blocking(told, True)
    yield told
    os.close(heard)
    os.close(told)


SIGNALS = pytest.mark.parametrize(
    ("first", "second", "code"),
    [("SIGINT", "SIGTERM", 130), ("SIGTERM", "SIGINT", 143), ("SIGTERM", "SIGTERM", 143)],
)


@SIGNALS
def test_a_signal_during_the_last_words_changes_nothing(first: str, second: str, code: int) -> None:
    program = [sys.executable, "-c", STRUCK.format(first=first, second=second)]
    done = subprocess.run(program, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (
        code,
        "modelcar: interrupted in work: struck\nto go on: modelcar work\n",
    )


@SIGNALS
def test_nor_where_nobody_reads_them(full_pipe: int, first: str, second: str, code: int) -> None:
    program = [sys.executable, "-c", STRUCK.format(first=first, second=second)]
    done = subprocess.run(program, stderr=full_pipe, timeout=60, check=False)
    assert done.returncode == code


def test_the_second_who_would_say_them_ends_the_process(full_pipe: int) -> None:
    """As where the first is in a write that never ends."""
    program = (
        "from modelcar.farewell import Farewell\n"
        "said = Farewell()\n"
        "said._saying.acquire()\n"
        "said.leave(143)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stderr=full_pipe, timeout=60, check=False
    )
    assert done.returncode == 143
