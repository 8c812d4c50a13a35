"""The pipeline's exit task: it publishes the run's report, and gives the lease back."""

import logging
from dataclasses import dataclass
from pathlib import Path

from modelcar import cluster, parameters, report, run_pods, run_summary
from modelcar.errors import ModelCarError
from modelcar.lease import Lease
from modelcar.task import root, run_id, spoken
from modelcar.values import StageRecord

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The task's parameters."""

    hf_repo: str
    model_name: str
    model_version: str
    pvc_name: str
    workdir: str


def make(asked: Asked, page: Path, summary: Path) -> None:
    """Write the run's report to `page` as HTML and to `summary` as Markdown."""
    with spoken("report"):
        model = parameters.model(asked.hf_repo, "", asked.model_name, asked.model_version)
        try:
            stages = _stages(asked)
            run = run_summary.summary(model.name, model.version, stages)
            page.write_text(report.html(run), encoding="utf-8")
            summary.write_text(report.markdown(run), encoding="utf-8")
        finally:
            _release(asked.pvc_name, f"{model.name} {model.version}")


def _stages(asked: Asked) -> tuple[StageRecord, ...]:
    """Return what the stages left on the volume, and what the pods know besides."""
    left = run_summary.read(root(asked.workdir), run_id())
    if not cluster.reachable():
        return left
    try:
        return run_pods.filled(
            left, run_pods.records(cluster.connect(), cluster.namespace(), run_id())
        )
    except ModelCarError as error:
        log.warning("%s", error)  # a report with gaps is better than none
        return left


def _release(claim: str, what: str) -> None:
    if not cluster.reachable():
        return
    try:
        if Lease(cluster.connect(), cluster.namespace(), claim, what, run_id()).release():
            log.info("the lease of %s on %s is given back", what, claim)
    except ModelCarError as error:
        # The next run takes it over: this one will have ended.
        log.warning("%s", error)
