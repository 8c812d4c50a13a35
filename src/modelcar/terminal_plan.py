"""A plan at a glance: what would move, what is reused, whether it fits; for any width. Pure lines.

Where standard output is no terminal, each fact is one line of plain text, for grep.
"""

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from modelcar.gpu import Fit, told
from modelcar.values import Plan, PlannedLayer
from modelcar.wording import line, size

Line = tuple[str, str]
"""A text, and its style."""
_FITS: Final = {"fits": "green", "tight": "yellow", "does not fit": "bold red", "unknown": ""}
_AMOUNT: Final = re.compile(r"(?<=\d) (?=[kMGTPKi]*B\b)")
_MOST: Final = 16
"""Layers that are listed on a terminal; the others are counted."""
_LONGEST: Final = 1000
"""Characters of a fact; a URI and what is said of the GPUs may be long."""
_HEADS: Final = ("LAYER", "STATE", "SIZE", "CONTENT")


def print_plan(
    plan: Plan, fit: Fit, target: str = "", *, every: bool = False, console: Console | None = None
) -> None:
    """Print a plan on standard output; `every` names each layer and each file that is left out."""
    shown = console or Console()
    width = shown.width if shown.is_terminal else 0
    for text, style in lines(plan, fit, target, width, every=every):
        shown.print(Text(text, style), soft_wrap=True)


def lines(
    plan: Plan, fit: Fit, target: str = "", width: int = 0, *, every: bool = False
) -> Iterator[Line]:
    """Yield the lines for a terminal of `width` columns, or where it is 0 as they are."""
    for text, style in _head(plan, fit, target):
        yield from ((part, style) for part in _wrapped(line(text, _LONGEST), width))
    yield from _table(plan.layers, width, len(plan.layers) if every or not width else _MOST)
    for text in _left_out(plan, every):
        yield from ((part, "dim") for part in _wrapped(text, width))
    for warning in plan.warnings:
        yield from ((part, "yellow") for part in _wrapped(f"warning: {line(warning)}", width))


def _head(plan: Plan, fit: Fit, target: str) -> Iterator[Line]:
    yield _verdict(plan, fit), "bold"
    yield f"GPUs: {told(fit)}", _FITS[fit.verdict]
    at = f" at {plan.commit}" if plan.commit else ""
    yield f"source: {plan.source.uri}{at}", ""
    yield f"target: {target or 'none is asked; --to names one'}", ""


def _verdict(plan: Plan, fit: Fit) -> str:
    """Say in one line what would move, what is reused, how large the image is, and if it fits."""
    fresh, moved = sum(not item.reused for item in plan.layers), plan.bytes
    of = f"{fresh} of {_count(len(plan.layers), 'layer')}"
    moves = f"{size(moved.downloaded)} to download, {size(moved.uploaded)} to upload in {of}"
    reused = size(moved.reused) if moved.reused else "nothing"
    said = f"{moves}, {reused} reused" if fresh else f"nothing moves, {_all(plan)}"
    image = size(sum(item.size for item in plan.layers))
    fits = "fit unknown" if fit.verdict == "unknown" else f"{fit.verdict} on {fit.where}"
    return f"{plan.model} {plan.version}: {said}; image {image} and its base; {fits}"


def _all(plan: Plan) -> str:
    return f"{size(plan.bytes.reused)} reused in {_count(len(plan.layers), 'layer')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _table(layers: Sequence[PlannedLayer], width: int, most: int) -> Iterator[Line]:
    """Yield a line a layer, those in the middle counted where there are more than `most`."""
    rows = [(str(number), *_row(item)) for number, item in enumerate(layers, 1)]
    first = rows if len(rows) <= most else rows[: most - 1]
    last = rows[-1:] if len(rows) > most else []
    widths = [max(map(len, column)) for column in zip(_HEADS, *first, *last, strict=True)]
    yield _cropped(_cells(_HEADS, widths), width), "dim"
    yield from ((_cropped(_cells(row, widths), width), _style(row)) for row in first)
    if last:
        between = layers[len(first) : -1]
        yield f"…  {len(between)} more, {size(sum(item.size for item in between))} (-v)", "dim"
        yield _cropped(_cells(last[0], widths), width), _style(last[0])


def _cells(row: Sequence[str], widths: Sequence[int]) -> str:
    number, state, of, content = row
    cells = (number.ljust(widths[0]), state.ljust(widths[1]), of.rjust(widths[2]), content)
    return "  ".join(cells)


def _row(item: PlannedLayer) -> tuple[str, str, str]:
    state = "reused" if item.reused else "known" if item.known else "new"
    paths = [line(file.path) for file in item.files]
    content = paths[0] if len(paths) == 1 else f"{len(paths)} files: {', '.join(paths)}"
    return state, size(item.size), content


def _style(row: Sequence[str]) -> str:
    return "green" if row[1] == "reused" else ""


def _left_out(plan: Plan, every: bool) -> Iterator[str]:
    if every:
        for one in plan.left_out:
            yield f"left out: {line(one.path)} ({size(one.size)}): {line(one.reason)}"
    elif plan.left_out:
        reasons = Counter(line(one.reason).partition(";")[0] for one in plan.left_out)
        counted = "; ".join(f"{reason}: {count}" for reason, count in reasons.most_common())
        total = size(sum(one.size for one in plan.left_out))
        yield f"left out: {_count(len(plan.left_out), 'file')}, {total} ({counted})"


def _wrapped(text: str, width: int) -> list[str]:
    """Return the text on lines of at most `width` columns, all but the first set in."""
    if not width:
        return [text]
    kept = _AMOUNT.sub("\N{NO-BREAK SPACE}", text)
    parts = textwrap.wrap(kept, width, subsequent_indent="  ", break_on_hyphens=False)
    return [part.replace("\N{NO-BREAK SPACE}", " ") for part in parts]


def _cropped(text: str, width: int) -> str:
    return text if not width or len(text) <= width else f"{text[: width - 1]}…"
