"""The pipeline's exit task: it publishes the run's report, and gives the lease back.

It has no volume: a claim that is missing, or in use on another node, would keep it from starting.
"""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

from modelcar import cluster, parameters, report, run_pods, run_summary
from modelcar.errors import ModelCarError
from modelcar.records import STAGES
from modelcar.task import run_id, spoken
from modelcar.tasks import leased
from modelcar.values import Model, RunRecord, StageRecord

log = logging.getLogger(__name__)

_OWN = "report"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The task's parameters."""

    hf_repo: str
    model_name: str
    model_version: str
    pvc_name: str


def make(asked: Asked, page: Path, summary: Path) -> None:
    """Write the run's report to `page` as HTML and to `summary` as Markdown."""
    with spoken("report"):
        model = parameters.model(asked.hf_repo, "", asked.model_name, asked.model_version)
        try:
            run = _run(model)
            page.write_text(report.html(run), encoding="utf-8")
            summary.write_text(report.markdown(run), encoding="utf-8")
        finally:
            _release(asked.pvc_name, model)


def _run(model: Model) -> RunRecord:
    """Return what is known of the run; one that did not come to its end has failed."""
    stages = _stages()
    run = run_summary.summary(model.name, model.version, stages)
    run = replace(run, pipeline_run=run_id())
    names = {stage.name for stage in stages}
    if names == {_OWN}:
        return replace(run, status="running")  # how it ended is not known
    return run if names >= set(STAGES[:-1]) else replace(run, status="failed")


def _stages() -> tuple[StageRecord, ...]:
    """Return what the pods of the run tell; a report with gaps is better than none."""
    if not cluster.reachable():
        return _unknown("no API server can be asked for its pods")
    try:
        return run_pods.records(cluster.connect(), cluster.namespace(), run_id())
    except ModelCarError as error:
        return _unknown(str(error))


def _unknown(why: str) -> tuple[StageRecord, ...]:
    log.warning("nothing is known of the run: %s", why)
    return (StageRecord(_OWN, "skipped", time.time(), detail=f"nothing is known of it: {why}"),)


def _release(claim: str, model: Model) -> None:
    try:
        lease = leased.own(claim, model)
        if lease and lease.release():
            log.info("the lease of %s on %s is given back", lease.what, claim)
    except ModelCarError as error:
        # The next run takes it over: this one will have ended.
        log.warning("%s", error)
