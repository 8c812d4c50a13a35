"""What came out of a run that has ended: the records of its pods, else what its server tells."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from modelcar import cluster
from modelcar.dsp import runs
from modelcar.dsp.watch import Task, tasks_of
from modelcar.errors import DeployError, PipelinesError
from modelcar.run_summary import summary
from modelcar.values import Model, RunRecord, StageRecord, Status
from modelcar.wording import line

log = logging.getLogger(__name__)
_SUBMIT: Final = "submit it again: what stands already is not done twice"


@dataclass(frozen=True, slots=True)
class Ending:
    """A run's outcome: the records of its stages, and its tasks as the server has them."""

    run_id: str
    state: str
    record: RunRecord
    tasks: tuple[Task, ...]
    error: str = ""
    """What the server says of the run as a whole."""

    def raise_failure(self) -> None:
        """Raise PipelinesError where the run did not succeed: the stage, why, and what to do."""
        if self.state == runs.SUCCEEDED:
            return
        what = f"run {self.run_id}"
        if self.state == "CANCELED":
            raise PipelinesError(what, "it was cancelled", _SUBMIT)
        failed = next((one for one in self.record.stages if one.status == "failed"), None)
        if failed is not None:
            raise PipelinesError(what, *_told(failed))
        why = "; ".join(str(task) for task in self.tasks if task.state == "failed")
        told = why or self.error or f"it is {self.state.lower()}, and its server says no more"
        remedy = f"read the logs of its pods: `oc logs -l pipeline/runid={self.run_id}`"
        raise PipelinesError(what, told, remedy)


def of(run: Any, model: Model, namespace: str, names: Mapping[str, str]) -> Ending:
    """Return the outcome of a run that has ended; pods that cannot be read are said, and missed."""
    state = runs.state(run)
    status: Status = "succeeded" if state == runs.SUCCEEDED else "failed"
    record = summary(model.name, model.version, _records(namespace, run.run_id))
    error = line(str(run.error.message or "")) if run.error else ""
    tasks = tuple(tasks_of(run, names))
    return Ending(run.run_id, state, replace(record, status=status), tasks, error)


def troubles(namespace: str, run_id: str) -> list[str]:
    """Return what keeps the run's pods from going on, as far as they can be read; a line each."""
    from modelcar import run_pods

    if not (namespace and cluster.reachable()):
        return []
    try:
        found = run_pods.records(cluster.connect(), namespace, run_id)
    except DeployError as error:
        log.debug("%s", error)
        return []
    return [record.error for record in found if record.status == "failed"]


def _records(namespace: str, run_id: str) -> tuple[StageRecord, ...]:
    from modelcar import run_pods

    if not (namespace and cluster.reachable()):
        log.warning("no cluster is named, so that nothing is known but what the server tells")
        return ()
    try:
        found = run_pods.records(cluster.connect(), namespace, run_id)
    except DeployError as error:
        log.warning("%s; nothing is known but what the server tells", error)
        return ()
    if not found:
        log.warning("the run's pods are gone or say nothing; the server alone tells of it")
    return found


def _told(failed: StageRecord) -> tuple[str, str]:
    """Return why a stage failed, and what to do."""
    parts = [str(failed.result.get(name) or "") for name in ("what", "why", "remedy")]
    what, why, remedy = (line(part) for part in parts)
    told = f"{what}: {why}" if what and why else what or why or line(failed.error)
    return f"{failed.name} failed: {told}", remedy or _SUBMIT
