"""The pipeline's first task: what would move, whether that can be done, and the lease.

It has no volume, so that nothing waits for a pod that can never start.
"""

import json
import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelcar import cluster, fitting, outcome, parameters, plan, plan_page, serving_parameters
from modelcar.hub import Hub
from modelcar.preflight import before
from modelcar.preflight import namespace as place
from modelcar.preflight.finding import Finding, require, run
from modelcar.records import Handle
from modelcar.task import task
from modelcar.tasks import leased
from modelcar.tasks.asked import Chosen, Named, Served
from modelcar.termination import short
from modelcar.values import Model, Plan
from modelcar.workfolder import WorkFolder

log = logging.getLogger(__name__)
Planned = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class Asked(Named, Chosen, Served):
    """The task's parameters."""

    revision: str
    hf_endpoint: str
    deploy_model: str
    ignore_fit: str
    skip_preflight: str
    namespace: str
    pvc_name: str
    keeps_files: str


def make(asked: Asked, summary: Path) -> Planned:
    """Return the commit, the sha256 of the choice of files, and this task's record in JSON.

    `summary` gets a page of it. Of a folder on the volume nothing is known here. Ends the process
    with the error's code when it fails.
    """
    with task("plan", "") as stage, serving_parameters.spoken():
        deploys = parameters.switch("deploy_model", asked.deploy_model)
        model = asked.model(asked.revision, asked.serving(), asked.rules())
        made = _of_hub(asked, model, deploys, stage, summary)
        if not parameters.switch("skip_preflight", asked.skip_preflight):
            require(_preflight(asked, model, made, deploys))
        _lease(asked, model)
    record = json.dumps(short(stage.record)) if stage.record else ""
    return (made.commit or "", str(plan.choice(made)), record) if made else ("", "", record)


def _of_hub(asked: Asked, model: Model, deploys: bool, stage: Handle, summary: Path) -> Plan | None:
    if model.source.kind == "file":
        stage.skip("the model is a folder on the volume, which the next task reads")
        return None
    hub = Hub(asked.hf_endpoint)
    with tempfile.TemporaryDirectory() as nothing:
        made = plan.make(model, WorkFolder(Path(nothing)), hub)
    plan.warn(made)
    fit = fitting.of_plan(model, made, hub)
    stage.done(fitting.recorded(made, fit), outcome.chosen(made))
    required = deploys and not parameters.switch("ignore_fit", asked.ignore_fit)
    (fitting.require if required else fitting.say)(model, fit)
    summary.write_text(plan_page.markdown(made, fit), encoding="utf-8")
    return made


def _preflight(asked: Asked, model: Model, made: Plan | None, deploys: bool) -> Iterator[Finding]:
    if deploys:
        yield from before.of_cluster(model, asked.namespace)
    if cluster.reachable():
        keeps = parameters.switch("keeps_files", asked.keeps_files)
        needed = sum(file.size for file in made.files) if made and keeps else 0
        yield from run(lambda: _volume(asked.pvc_name, needed), "pvc")


def _volume(claim: str, needed: int) -> Iterator[Finding]:
    with cluster.asking(f"looking at the volume claim {claim}"):
        yield from place.volume(cluster.connect(), cluster.namespace(), claim, needed)


def _lease(asked: Asked, model: Model) -> None:
    lease = leased.own(asked.pvc_name, model)
    if lease and (holder := lease.take()):
        log.info("run %s, which is over, had not given its lease back", holder)
