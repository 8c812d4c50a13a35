"""What is told of a pipeline's pods that never ran our code, or were stopped: asked of run_pods."""

from collections.abc import Iterator
from typing import Any

from modelcar import run_pods
from scripts.docs_text import code, prose, table

_OPENING = """
## A run of the pipeline

A task that fails by itself says so in its last line, and in the report: see
[what a stage says](#what-a-stage-says). These are told of tasks
that never ran, or were stopped: by the report, and by `modelcar submit --wait` while the run goes.
POD is the pod, NAMESPACE the project, MESSAGE what the cluster says. KFP does not end a pod that
waits: end the run with `modelcar cancel RUN_ID` when you have seen enough.

"""
_MEMORY = """
To raise a task's memory limit, change it in `pipelines/_settings.py` of a clone, run
`make compile`, and submit that file: `modelcar submit MODEL --pipeline compiled/modelcar.yaml`.
"""
_LIMIT = "1Gi"
_MESSAGE = "MESSAGE"


def section() -> Iterator[str]:
    """Yield the section of the page; raise ValueError for a remedy that no pod here calls for."""
    shown: dict[tuple[str, str], list[str]] = {}
    for name, pod in _pods():
        shown.setdefault(_told(pod), []).append(name)
    given = " ".join(remedy for _, remedy in shown)
    if silent := [text for text in run_pods._REMEDIES.values() if text not in given]:
        raise ValueError(f"no pod of scripts/docs_run_pods.py calls for: {'; '.join(silent)}")
    rows = (("<br>".join(names), prose(why), prose(do)) for (why, do), names in shown.items())
    yield _OPENING + table(("the pod shows", "the report says", "what to do"), rows) + _MEMORY


def _pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a pod in each state that is told of, and how the state is called."""
    for reason in run_pods._WAITING:
        waiting = {"name": "main", "state": {"waiting": {"reason": reason, "message": _MESSAGE}}}
        yield code(reason), {"containerStatuses": [waiting]}
    condition = {"reason": "Unschedulable", "message": _MESSAGE}
    yield "`Unschedulable`", {"conditions": [condition]}
    yield "`Evicted`", {"reason": "Evicted", "message": _MESSAGE, "phase": "Failed"}
    yield "`OOMKilled`", _ended(137, "OOMKilled")
    yield "exit code 137", _ended(137, "Error")
    yield "exit code 143", _ended(143, "Error")
    yield "any other exit code, such as 1", _ended(1, "Error")


def _ended(code: int, reason: str) -> dict[str, Any]:
    ended = {"exitCode": code, "reason": reason}
    return {"containerStatuses": [{"name": "main", "state": {"terminated": ended}}]}


def _told(status: dict[str, Any]) -> tuple[str, str]:
    """Return why the stage did not do its work, and what to do, as the report has it."""
    node = {run_pods._NODE: "RUN.root.exit-handler-1.build.executor(0)"}
    limits = {"name": "main", "resources": {"limits": {"memory": _LIMIT}}}
    pod = {
        "metadata": {"name": "POD", "namespace": "NAMESPACE", "annotations": node},
        "spec": {"containers": [limits]},
        "status": status,
    }
    (record,) = run_pods.told([pod])
    result = record.result
    assert isinstance(result, dict)  # noqa: S101  it failed, and says why in parts
    return str(result["why"]), str(result["remedy"])
