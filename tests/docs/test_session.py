"""How the commands of a page are run, and what of it is a fault."""

import os
from pathlib import Path

import pytest

from tests.docs.pages import commands
from tests.docs.session import Done, run


def ran(folder: Path, *lines: str, mark: str = "") -> list[Done]:
    """Run a page of one block."""
    text = "\n".join((mark, "```console", *lines, "```", ""))
    environment = {"PATH": os.environ["PATH"]}
    return list(run(commands(text), folder, environment, folder / "notes"))


def test_a_session_keeps_what_commands_set(tmp_path: Path) -> None:
    done = ran(tmp_path, "$ mkdir a && cd a", "$ one=1; two() { echo 2; }", "$ two > $one; ls", "1")
    assert [one.fault() for one in done] == ["", "", ""]
    assert (tmp_path / "a" / "1").read_text() == "2\n"


def test_nothing_runs_after_a_command_that_fails(tmp_path: Path) -> None:
    done = ran(tmp_path, "$ echo no >&2; false", "$ touch there")
    assert [one.fault() for one in done] == ["it exits 1, not 0:\nno\n"]
    assert not (tmp_path / "there").exists()


def test_a_page_may_show_a_failure(tmp_path: Path) -> None:
    lines = ("$ echo first", "$ echo why >&2; (exit 3)", "why")
    assert [one.fault() for one in ran(tmp_path, *lines, mark="<!-- fails: 3 -->")] == ["", ""]


def test_a_command_that_should_fail_and_does_not_is_a_fault(tmp_path: Path) -> None:
    [done] = ran(tmp_path, "$ true", mark="<!-- fails: 3 -->")
    assert done.fault().startswith("it exits 0, not 3")


@pytest.mark.parametrize(
    ("command", "fine"),
    [
        ("echo shown", True),
        ("echo shown; echo more >&2", True),
        ("echo more; echo shown >&2", True),
        ("echo other", False),
        ("echo shown; echo more", False),
    ],
)
def test_what_is_shown_is_one_of_the_two_outputs(tmp_path: Path, command: str, fine: bool) -> None:
    [done] = ran(tmp_path, f"$ {command}", "shown")
    assert (done.fault() == "") is fine


def test_a_command_that_ends_the_session_is_a_fault(tmp_path: Path) -> None:
    first, *_ = ran(tmp_path, "$ exit 0", "$ true")
    assert "it never ended" in first.fault()
