"""What a plan would move, as Markdown."""

from collections.abc import Iterator

from modelcar import wording
from modelcar.gpu import Fit, told
from modelcar.values import Plan
from modelcar.wording import line, size

ROWS = 30


def markdown(plan: Plan, fit: Fit) -> str:
    """Return the page: totals, whether it fits, warnings, and which files are left out."""
    return "\n".join([*_totals(plan, fit), *_warnings(plan), *_left_out(plan), ""])


def _totals(plan: Plan, fit: Fit) -> Iterator[str]:
    largest = max((layer.size for layer in plan.layers), default=0)
    image = sum(layer.size for layer in plan.layers)
    rows = {
        "Source": f"{plan.source.uri} at {plan.commit}",
        "Files": f"{len(plan.files)}, {size(sum(file.size for file in plan.files))}",
        "Layers": f"{len(plan.layers)}, the largest {size(largest)}",
        "Image": f"{size(image)} without its base",
        "GPUs": told(fit),
    }
    yield from (f"# {_shown(f'{plan.model} {plan.version}')}", "", "| | |", "|---|---|")
    yield from (f"| {name} | {_shown(text)} |" for name, text in rows.items())


def _warnings(plan: Plan) -> Iterator[str]:
    if plan.warnings:
        yield ""
    yield from (f"- {_shown(text)}" for text in plan.warnings)


def _left_out(plan: Plan) -> Iterator[str]:
    if not plan.left_out:
        return
    yield from ("", "| Left out | Bytes | Why |", "|---|--:|---|")
    for file in plan.left_out[:ROWS]:
        yield f"| {_shown(file.path)} | {size(file.size)} | {_shown(file.reason)} |"
    if more := len(plan.left_out) - ROWS:
        yield f"| and {more} more | | |" if more > 0 else ""


def _shown(text: str) -> str:
    return wording.markdown(line(text, 200))
