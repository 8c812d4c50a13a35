"""What a report says of failures: the cause, what to do, what was found, and how to go on."""

from collections.abc import Iterator
from typing import Final

from modelcar.page_commands import command, roll_back
from modelcar.page_parts import DETAIL, ERROR, FAILURES, QUOTED, STAGE, Command, Fact, Section
from modelcar.page_results import named
from modelcar.values import RunRecord, StageRecord
from modelcar.wording import line

_KEPT: Final = "what stands is not done twice"
_ANEW: Final = f"Go on by a run with the same parameters, or by Retry: {_KEPT}."
_CANCELLED: Final = "No task says why, as where the run is cancelled."


def failures(run: RunRecord) -> Iterator[Section]:
    """Yield the first failures; what was found and how to go on stand with the very first."""
    failed = [stage for stage in run.stages if stage.status == "failed"][:FAILURES]
    if run.status == "failed" and not failed:
        yield Section("Not at its end", _CANCELLED, failed=True, items=(_ANEW,))
    for number, stage in enumerate(failed):
        remedy = _text(stage, "remedy")
        cause, *more = stage.error.removesuffix(f"; {remedy}").splitlines() or [""]
        lines = stage.result.get("evidence")
        found = [*more, *(lines if isinstance(lines, list) else ())]
        yield Section(
            f"{line(stage.name, STAGE)} failed",
            line(cause, ERROR),
            failed=True,
            facts=(Fact("What to do", line(remedy, ERROR)),) if remedy else (),
            copied="" if number else "\n".join(line(str(one), DETAIL) for one in found[:QUOTED]),
            items=(_ANEW,) if run.pipeline_run and not number else (),
            commands=() if number else tuple(_on(run)),
        )


def _on(run: RunRecord) -> Iterator[Command]:
    """Yield how to find out more, and how to go on."""
    deploy = named(run.stages, "deploy")
    if deploy and deploy.status == "failed":
        name, namespace = _text(deploy, "name"), _text(deploy, "namespace")
        yield from command("See how it stands", "modelcar diagnose {} -n {}", name, namespace)
        yield from roll_back(run, namespace, "Return to what served before, if anything did")
    yield from command(f"Go on, with the same options: {_KEPT}", "modelcar run {}", run.asked)


def _text(stage: StageRecord, key: str) -> str:
    told = stage.result.get(key)
    return told if isinstance(told, str) else ""
