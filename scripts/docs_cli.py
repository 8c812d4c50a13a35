"""The page on the command line, from click's own commands."""

import re
from collections.abc import Iterator

import click

from modelcar.cli import main
from modelcar.cli_help import SECTIONS
from scripts.docs_text import code, fence, head, marked, table
from scripts.docs_variables import variables

_OPENING = """`modelcar VERB --help` says the same. MODEL is a name in `models/`, a path to a
[catalog file](catalog.md), `hf://org/name[@revision]` or `file:///folder`. REF is
`host/repository:tag`, or `oci:FOLDER:TAG` for an OCI layout in a folder. Results go to standard
output, progress to standard error; what the exit code says: [exit codes](exit-codes.md).

"""
_VARIABLES = """## Environment variables

They are read by every verb that needs what they say. Tokens are read from here or from files, never
from arguments.

"""


def files() -> Iterator[tuple[str, str]]:
    """Yield the path below the repository and the text of the page."""
    yield "docs/reference/cli.md", "".join(_page())


def _page() -> Iterator[str]:
    placed = [verb for verbs in SECTIONS.values() for verb in verbs]
    if sorted(placed) != sorted(main.commands):
        odd = ", ".join(sorted(set(placed) ^ set(main.commands)) or placed)
        raise ValueError(f"{odd}: each verb stands in one section of cli_help.py")
    yield head("The command line", "src/modelcar/cli.py and the verbs that it names") + _OPENING
    yield _overview()
    yield "\n## Options of every verb\n\n"
    yield _options([*_shared(), _help(main.commands["check"])])
    for section, verbs in SECTIONS.items():
        yield f"\n## {section}\n"
        for verb, (_, example) in verbs.items():
            yield from _verb(main.commands[verb], example)
    yield "\n" + _VARIABLES
    yield table(("variable", "what it says"), variables())


def _overview() -> str:
    """Return all verbs at a glance."""
    rows = (
        (section, ", ".join(f"[`{verb}`](#{verb})" for verb in verbs))
        for section, verbs in SECTIONS.items()
    )
    return table(("for", "verbs"), rows)


def _verb(verb: click.Command, example: str) -> Iterator[str]:
    context = _context(verb)
    yield f"\n### `{verb.name}`\n\n"
    pieces = " ".join(verb.collect_usage_pieces(context))
    yield fence(f"modelcar {verb.name} {pieces}", "text")
    for paragraph in str(verb.help).split("\n\n"):
        yield f"\n{marked(paragraph)}\n"
    shared = {option.name for option in _shared()}
    own = [one for one in _own(verb) if one.name not in shared]
    if own:
        yield "\n" + _options(own)
    yield "\nFor example:\n\n" + fence(f"modelcar {example}", "text")


def _context(verb: click.Command) -> click.Context:
    parent = click.Context(main, info_name="modelcar", help_option_names=["-h", "--help"])
    return click.Context(verb, parent=parent, info_name=verb.name)


def _own(verb: click.Command) -> list[click.Option]:
    return [one for one in verb.params if isinstance(one, click.Option) and not one.hidden]


def _help(verb: click.Command) -> click.Option:
    found = verb.get_help_option(_context(verb))
    assert found is not None  # noqa: S101  every verb has one
    return found


def _shared() -> list[click.Option]:
    """Return the options that all verbs have, alike."""
    verbs = list(main.commands.values())
    return [one for one in _own(verbs[0]) if all(_alike(one, verb) for verb in verbs)]


def _alike(option: click.Option, verb: click.Command) -> bool:
    return any((one.opts, one.help) == (option.opts, option.help) for one in _own(verb))


def _options(options: list[click.Option]) -> str:
    return table(("option", "what it does"), map(_row, options))


def _row(option: click.Option) -> tuple[str, str]:
    name = " / ".join([", ".join(option.opts), *option.secondary_opts])
    value = "" if option.is_flag else f" {option.make_metavar(click.Context(main))}"
    return code(name + re.sub("(FLOAT|INTEGER) RANGE", "NUMBER", value)), " ".join(_told(option))


def _told(option: click.Option) -> Iterator[str]:
    told, _, otherwise = str(option.help).partition("  [default: ")
    yield marked(told)
    if option.multiple and "several times" not in told:
        yield "May be given several times."
    if option.required:
        yield "Required."
    if default := otherwise.removesuffix("]") or _default(option):
        yield f"Default: {default}."
    if isinstance(option.envvar, str):
        yield f"Else `{option.envvar}`."


def _default(option: click.Option) -> str:
    value = option.default
    return f"`{value:g}`" if isinstance(value, float) else code(str(value)) if _says(value) else ""


def _says(value: object) -> bool:
    """Tell whether a default is one that a reader has to know."""
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""
