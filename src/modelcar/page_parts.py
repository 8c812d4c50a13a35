"""The parts that a report's page is made of: short texts and drawn positions, no markup."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from modelcar.wording import line

T = TypeVar("T")

ROWS, FAILURES, QUOTED = 30, 2, 12
"""How many rows of a list are shown: with the texts' lengths, this bounds the page to 200 kB."""
STAGE, NAME, DETAIL, ERROR = 40, 80, 200, 1000
"""How many characters of a stage's name, another name, a detail and an error are shown."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a whole, both ends in percent; `told` says it in words."""

    kind: str
    x: float
    width: float
    told: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under heads; a head has a name and a kind, which says how the column is written.

    That is name, number, code, place, state, status, bar, or wide.
    """

    heads: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str | Bar, ...], ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """What one may type, and what for."""

    purpose: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """One part of a report, under a heading of its own."""

    title: str
    says: str = ""
    copied: str = ""
    """Lines as they are, to be copied."""
    failed: bool = False
    facts: tuple[Fact, ...] = ()
    table: Table | None = None
    items: tuple[str, ...] = ()
    more: int = 0
    """How many more rows or items there are."""
    commands: tuple[Command, ...] = ()

    @property
    def filled(self) -> bool:
        """Whether it tells anything."""
        return bool(self.says or self.copied or self.facts or self.table or self.items)


def facts(told: Iterable[tuple[str, str]]) -> tuple[Fact, ...]:
    """Return what is known, without labels of no text."""
    return tuple(Fact(label, line(text)) for label, text in told if text)


def undigested(text: str, digest: str) -> str:
    """Return a text without the run's one digest, which the page has in a place of its own."""
    return text.replace(f"@{digest}", "") if digest else text


def listed(
    title: str,
    heads: tuple[tuple[str, str], ...],
    items: Sequence[T],
    shown: Callable[[T], tuple[Any, ...]],
    says: str = "",
) -> Section:
    """Return a section with a table of the first items."""
    rows = tuple(shown(item) for item in items[:ROWS])
    return Section(title, says, table=Table(heads, rows) if rows else None, more=more(items))


def more(items: Sequence[Any]) -> int:
    """Return how many items are not shown."""
    return max(len(items) - ROWS, 0)
