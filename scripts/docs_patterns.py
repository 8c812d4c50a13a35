"""What a regular expression looks for, as a reader may find it in a log or an event."""

import re
from collections.abc import Iterator, Sequence
from itertools import product
from re import _constants as op  # type: ignore[attr-defined]  # what `re` itself parses with
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

GAP = "…"
"""Stands for what may be anything."""
NUMBER = "N"
Nodes = Sequence[tuple[Any, Any]]


def phrases(pattern: str) -> list[list[str]]:
    """Return the parts that are looked for, one behind the other; of each part one must be there.

    An alternative of a whole pattern is a part by itself.
    """
    nodes = list(parser.parse(pattern, re.DOTALL))
    parts: list[list[tuple[Any, Any]]] = [[]]
    for node in nodes:
        if _is_gap(node):
            parts.append([])
        else:
            parts[-1].append(node)
    return [found for part in parts if (found := _tidy(_expand(part)))]


def _tidy(texts: Iterator[str]) -> list[str]:
    stripped = (re.sub(" +", " ", text).strip(f"{GAP} ") for text in texts)
    return list(dict.fromkeys(text for text in stripped if text))


def _is_gap(node: tuple[Any, Any]) -> bool:
    """Tell whether a node is `.*`."""
    kind, value = node
    return kind is op.MAX_REPEAT and value[1] is op.MAXREPEAT and value[2][0][0] is op.ANY


def _expand(nodes: Nodes) -> Iterator[str]:
    """Yield every text that the nodes stand for, gaps and numbers aside."""
    for texts in product(*(list(_texts(kind, value)) for kind, value in nodes)):
        yield "".join(texts)


def _texts(kind: Any, value: Any) -> Iterator[str]:
    if kind is op.LITERAL:
        yield chr(value)
    elif kind is op.AT:
        yield ""
    elif kind is op.BRANCH:
        for branch in value[1]:
            yield from _expand(branch)
    elif kind is op.SUBPATTERN:
        yield from _expand(value[3])
    elif kind is op.IN:
        yield from _of_set(value)
    elif kind in (op.MAX_REPEAT, op.MIN_REPEAT):
        yield from _repeated(*value)
    else:
        raise ValueError(f"{kind} in a pattern of serving/rules.py cannot be shown")


def _repeated(least: int, most: int, nodes: Nodes) -> Iterator[str]:
    """Yield what may be left out as it stands, and a longer repetition as a number or a gap."""
    if most == 1:
        yield from _expand(nodes)
    else:
        (kind, value), *_ = nodes
        yield NUMBER if kind is op.IN and _is_number(value) else f" {GAP} " if not least else GAP


def _of_set(members: Nodes) -> Iterator[str]:
    if _is_number(members):
        yield NUMBER
    elif all(kind is op.LITERAL for kind, _ in members):
        yield from (chr(letter) for _, letter in members)
    else:
        yield GAP


def _is_number(members: Nodes) -> bool:
    return (op.CATEGORY, op.CATEGORY_DIGIT) in [tuple(one) for one in members]
