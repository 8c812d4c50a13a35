"""The commands that a page of documentation shows, and the output that it shows of them.

A block of commands is fenced as `console`. `$ ` begins a command; the lines after it belong to it
while it is not whole (a backslash, a quote or a here-document is open), and are its output then.
An HTML comment on the lines before a block says what is special of it: `fails: 1` (the last
command's exit code), `cluster` (there must be one), or both, as in `<!-- cluster, fails: 1 -->`.
"""

import re
import subprocess
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_FENCE: Final = re.compile(
    r"(?P<mark><!--[^>]*-->[ \t]*\n(?:[ \t]*\n)?)?"
    r"^(?P<indent>[ \t]*)(?P<ticks>`{3,}|~{3,})[ \t]*(?P<language>[^\s`{]*)[^\n`]*\n"
    r"(?P<body>.*?)^[ \t]*(?P=ticks)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_SHELLS: Final = frozenset(("bash", "sh", "shell", "shell-session", "shellsession", "zsh", "bat"))
_MARK: Final = re.compile(r"(?P<cluster>cluster)|fails:\s*(?P<code>\d+)")


class PageError(Exception):
    """A page shows commands in a way that no test can run."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command; `shown` are the lines of output that stand below it, `line` is its own."""

    text: str
    line: int
    shown: tuple[str, ...] = ()
    code: int = 0
    cluster: bool = False


def commands(text: str) -> list[Command]:
    """Return the commands of a page; raise PageError for one that would escape the tests."""
    return [one for block in _FENCE.finditer(text) for one in _block(block, text)]


def _block(block: re.Match[str], text: str) -> list[Command]:
    line = text.count("\n", 0, block.start("body")) + 1
    language, body = block["language"].lower(), textwrap.dedent(block["body"])
    if language in _SHELLS or (language != "console" and re.search(r"^\$ ", body, re.MULTILINE)):
        raise PageError(f"line {line - 1}: commands stand in a block of ```console, not {language}")
    if language != "console":
        return []
    cluster, code = _marks(block["mark"] or "")
    found = list(_commands(body.splitlines(), line, cluster))
    if not found:
        raise PageError(f"line {line}: a block of ```console without a command")
    last = found[-1]
    return [*found[:-1], Command(last.text, last.line, last.shown, code, cluster)]


def _marks(comment: str) -> tuple[bool, int]:
    found = list(_MARK.finditer(comment))
    codes = [int(one["code"]) for one in found if one["code"]]
    return any(one["cluster"] for one in found), next(iter(codes), 0)


def _commands(lines: Sequence[str], first: int, cluster: bool) -> Iterator[Command]:
    at = 0
    while at < len(lines):
        if not lines[at].startswith("$ "):
            raise PageError(f"line {first + at}: a block begins with `$ `, not {lines[at]!r}")
        begin, typed = at, lines[at][2:]
        while not whole(typed):
            at += 1
            if at == len(lines):
                raise PageError(f"line {first + begin}: the command is not whole: {typed}")
            typed += f"\n{lines[at]}"
        at += 1
        below = at
        while at < len(lines) and not lines[at].startswith("$ "):
            at += 1
        shown = tuple(line.rstrip() for line in lines[below:at])
        yield Command(typed, first + begin, _trimmed(shown), 0, cluster)


def whole(typed: str) -> bool:
    """Return whether a shell would begin with what was typed, rather than ask for more."""
    if typed.endswith("\\"):
        return False
    asked = subprocess.run(["bash", "-n"], input=typed, capture_output=True, text=True)
    return not re.search(r"unexpected (end of file|EOF)|here-document", asked.stderr)


def _trimmed(lines: tuple[str, ...]) -> tuple[str, ...]:
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


def alike(shown: Sequence[str], real: str) -> bool:
    """Return whether real output is as it is shown, where `…` is any text, as a line any lines."""
    parts = [
        r"(?:.*\n)*?" if line.strip() == "…" else _line(line) + r"[ \t]*\n"
        for line in (one.rstrip() for one in shown)
    ]
    text = "".join(f"{line.rstrip()}\n" for line in real.strip("\n").splitlines())
    return re.fullmatch("".join(parts), text) is not None


def _line(shown: str) -> str:
    return ".*?".join(re.escape(part) for part in shown.split("…"))
