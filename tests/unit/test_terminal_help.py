"""The help of the command line: by what a user does, and with examples that hold."""

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from modelcar import cli_help
from modelcar.cli import main
from tests.byte_path import MODELCAR
from tests.pipeline.compiled_file import ROOT

COMPLETIONS = Path("home/.local/share/bash-completion/completions")
EVERY = {name for verbs in cli_help.SECTIONS.values() for name in verbs}


def test_every_verb_has_its_place() -> None:
    assert set(main.commands) == EVERY


def test_the_verbs_stand_in_sections_each_on_one_line() -> None:
    shown = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    for title, verbs in cli_help.SECTIONS.items():
        block = shown.partition(f"\n{title}:\n")[2].partition("\n\n")[0].splitlines()
        assert [line.split()[0] for line in block] == list(verbs)
    assert "Other:" not in shown


def example(verb: str) -> str:
    """Return the command that the help of a verb shows."""
    shown = CliRunner().invoke(main, [verb, "--help"], terminal_width=80).output
    (found,) = [line.strip() for line in shown.splitlines() if line.startswith("    modelcar ")]
    return found


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a folder with a user's catalog, site file and home."""
    shutil.copytree(ROOT / "models", tmp_path / "models")
    shutil.copy(ROOT / "site.example.yaml", tmp_path / "site.yaml")
    (tmp_path / COMPLETIONS).mkdir(parents=True)
    return tmp_path


def ran(clone: Path, verb: str) -> None:
    """Type the example of a verb there."""
    path = f"{Path(MODELCAR).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(clone / "home"), "LANG": "C.UTF-8"}
    options = {"cwd": clone, "env": environment, "text": True, "timeout": 60}
    done = subprocess.run(["bash", "-c", example(verb)], capture_output=True, **options)  # type: ignore[call-overload]
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


def test_the_example_of_check_finds_no_fault_in_a_clone(clone: Path) -> None:
    ran(clone, "check")


def test_the_example_of_schema_writes_the_schema_that_the_site_file_names(clone: Path) -> None:
    ran(clone, "schema")
    written = (clone / "site.schema.json").read_text()
    assert "$schema=site.schema.json" in (clone / "site.yaml").read_text()
    assert "oci_registry" in json.loads(written)["properties"]


def test_the_example_of_completion_writes_what_bash_can_read(clone: Path) -> None:
    ran(clone, "completion")
    written = clone / COMPLETIONS / "modelcar"
    reads = f"source {shlex.quote(str(written))} && complete -p modelcar"
    done = subprocess.run(["bash", "-c", reads], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" modelcar\n")


@pytest.mark.parametrize("verb", sorted(EVERY))
def test_the_example_of_a_verb_can_be_typed(verb: str) -> None:
    """It is parsed only, up to a redirection: all but the three above want servers, or a secret."""
    typed = shlex.split(example(verb).partition(" > ")[0])
    assert typed[:2] == ["modelcar", verb]
    command = main.commands[verb]
    with click.Context(main, info_name="modelcar") as parent:
        command.make_context(verb, typed[2:], parent)


def test_a_verb_that_nobody_placed_is_still_shown() -> None:
    placed = dict(cli_help.placed(["plan", "new"]))
    assert placed["Look"] == ["plan"]
    assert placed["Other"] == ["new"]
