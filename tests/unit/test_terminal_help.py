"""The help of the command line: by what a user does, and with examples that hold."""

import shlex

import click
import pytest
from click.testing import CliRunner

from modelcar import cli_help
from modelcar.cli import main

EVERY = {name for verbs in cli_help.SECTIONS.values() for name in verbs}


def test_every_verb_has_its_place() -> None:
    assert set(main.commands) == EVERY


def test_the_verbs_stand_in_sections_each_on_one_line() -> None:
    shown = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    for title, verbs in cli_help.SECTIONS.items():
        block = shown.partition(f"\n{title}:\n")[2].partition("\n\n")[0].splitlines()
        assert [line.split()[0] for line in block] == list(verbs)
    assert "Other:" not in shown


@pytest.mark.parametrize("verb", sorted(EVERY))
def test_the_example_of_a_verb_can_be_typed(verb: str) -> None:
    shown = CliRunner().invoke(main, [verb, "--help"], terminal_width=80).output
    (example,) = [line.strip() for line in shown.splitlines() if line.startswith("    modelcar ")]
    typed = shlex.split(example.partition(" > ")[0])
    assert typed[:2] == ["modelcar", verb]
    command = main.commands[verb]
    with click.Context(main, info_name="modelcar") as parent:
        command.make_context(verb, typed[2:], parent)


def test_a_verb_that_nobody_placed_is_still_shown() -> None:
    placed = dict(cli_help.placed(["plan", "new"]))
    assert placed["Look"] == ["plan"]
    assert placed["Other"] == ["new"]
