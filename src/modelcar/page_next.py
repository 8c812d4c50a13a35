"""What the next run would do, as far as this one tells."""

from collections.abc import Iterator
from typing import Final

from modelcar.page_parts import DETAIL, STAGE, Section
from modelcar.page_results import Results
from modelcar.records import STAGES
from modelcar.values import Plan, RunRecord
from modelcar.wording import line

_WHOLE: Final = "What is whole is kept; what broke goes on where it stopped, if its server can."
_KEPT: Final = {
    "plan": "No byte of the weights has moved: it begins from the start.",
    "download": _WHOLE,
    "build": _WHOLE,
}
_STANDS: Final = "The image stands: it is not built again."


def next_run(run: RunRecord, found: Results) -> Section:
    """Return what would move and what would be done."""
    return Section("The next run", items=tuple(_items(run, found)))


def _items(run: RunRecord, found: Results) -> Iterator[str]:
    if run.status == "failed":
        seen = {one.name for one in run.stages if one.status not in ("failed", "running")}
        stopped = next((name for name in STAGES if name not in seen), "")
        yield _KEPT.get(stopped, _STANDS)
        if found.built:
            yield f"It goes on at {stopped}."
    if found.plan and found.built:
        yield _source(found.plan) + " What changed needs another version." * bool(found.version)
    if run.status == "succeeded":
        for stage in run.stages:
            if stage.status in ("skipped", "rendered") and stage.name != "download":
                yield f"{stage.name} is {stage.status} again: {line(stage.detail, DETAIL)}"


def _source(made: Plan) -> str:
    """Say whether it would find the same files."""
    source, commit = made.source, (made.commit or "")[:7]
    if source.kind == "file":
        return "It reads the folder again, and sends only files that changed."
    if source.pinned:
        return f"It takes commit {commit} again, of which no byte moves twice."
    asks = f"It asks the Hub which commit {line(source.revision, STAGE)} is"
    return f"{asks}: {commit} moves no byte again, another one only what changed."
