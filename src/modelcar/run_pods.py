"""What the pods of a run tell of its tasks, also of those that never ran our code."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from modelcar import termination
from modelcar.cluster import asking, request
from modelcar.errors import ModelCarError
from modelcar.lease import RUN_LABEL
from modelcar.records import STAGES, harmless
from modelcar.values import StageRecord

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_NODE: Final = "workflows.argoproj.io/node-name"
_STAGE_OF: Final = {"transfer": "build"}
"""The stage of a task that has another name."""
_MEMORY: Final = "it was killed for want of memory"
_KILLED: Final = ", as where the run is cancelled"
_REMEDIES: Final = {
    _MEMORY: "run it again; if it comes back, raise its limit (pipelines/_settings.py)",
    "its image cannot be pulled": "check the image's name, and the account's pull secret",
    "its container cannot be made": "run `modelcar bootstrap`, or make what it names",
    "no node takes it": "free CPU and memory, or run `modelcar bootstrap` for the volume claim",
}
_WAITING: Final = {
    "ErrImagePull": "its image cannot be pulled",
    "ImagePullBackOff": "its image cannot be pulled",
    "InvalidImageName": "its image cannot be pulled",
    "CreateContainerConfigError": "its container cannot be made",
    "CreateContainerError": "its container cannot be made",
}
_QUOTED: Final = 5
Pod = Mapping[str, Any]


def records(api: "ApiClient", namespace: str, run_id: str) -> tuple[StageRecord, ...]:
    """Return what the pods of a run tell, a record a stage, in the order of the stages.

    Raises DeployError where the pods may not be listed.
    """
    query = [("labelSelector", f"{RUN_LABEL}={run_id}")]
    with asking(f"reading the pods of run {run_id}"):
        listed = request(api, "GET", f"/api/v1/namespaces/{namespace}/pods", query)
    return told(listed["items"])


def told(pods: Sequence[Pod]) -> tuple[StageRecord, ...]:
    """Return what pods tell; of several tries of a task the last counts."""
    found: dict[str, StageRecord] = {}
    for pod in sorted(pods, key=_order):
        for record in _records(pod):
            found[record.name] = record
    return tuple(sorted(found.values(), key=lambda record: STAGES.index(record.name)))


def _records(pod: Pod) -> Iterator[StageRecord]:
    ended = (_main(pod).get("state") or {}).get("terminated") or {}
    own = [one for one in termination.read(ended.get("message") or "") if one.name in STAGES]
    yield from own
    stage, known = _stage(pod), {record.name: record.result for record in own}
    # After our own code KFP's launcher may fail; a failure of ours tells more than the exit code.
    failed = any(record.status == "failed" for record in own)
    if stage and not failed and (ended.get("exitCode") or stage not in known):
        found = _of_state(stage, pod, ended)
        yield replace(found, result={**known.get(stage, {}), **found.result})


def _of_state(stage: str, pod: Pod, ended: Mapping[str, Any]) -> StageRecord:
    """Return the record of a stage that left none, by how its pod stands."""
    began = _seconds(ended.get("startedAt")) or _began(pod)
    took = max(_seconds(ended.get("finishedAt")) - began, 0.0) if ended else 0.0
    why = _why(pod, ended)
    if why:
        return _failed(stage, pod, why, began, took)
    done = ended.get("exitCode") == 0
    return StageRecord(stage, "succeeded" if done else "running", began, took)


def _failed(stage: str, pod: Pod, why: str, began: float, took: float) -> StageRecord:
    name, namespace = pod["metadata"]["name"], pod["metadata"].get("namespace", "")
    known = next((text for start, text in _REMEDIES.items() if why.startswith(start)), "")
    log = f"read `oc logs -n {namespace} {name} -c main`" if namespace else f"read its log, {name}"
    parts = {"what": f"the pod of {stage}", "why": why, "remedy": known or log}
    error = str(ModelCarError(**parts))
    result = {**parts, "evidence": list(_evidence(pod, name))}
    return StageRecord(stage, "failed", began, took, error=error, result=result)


def _evidence(pod: Pod, name: str) -> Iterator[str]:
    """Yield which pod it was, and what another than us left as its last words."""
    node = (pod.get("spec") or {}).get("nodeName")
    yield f"pod {name} on {node}" if node else f"pod {name}"
    message = ((_main(pod).get("state") or {}).get("terminated") or {}).get("message") or ""
    if not termination.read(message):
        yield from map(harmless, message.splitlines()[-_QUOTED:])


def _why(pod: Pod, ended: Mapping[str, Any]) -> str:
    """Return why a pod did not do its work; nothing where it did, or still may."""
    status = pod.get("status") or {}
    if status.get("reason") == "Evicted":
        return f"it was evicted: {status.get('message', '')}"
    if ended.get("reason") == "OOMKilled":
        limit = _limit(pod)
        return _MEMORY + (f" (limit {limit})" if limit else "")
    if ended:
        code = ended.get("exitCode")
        killed = _KILLED if code in (137, 143) else ""
        return f"it ended with exit code {code}{killed}" if code else ""
    return _waiting(status) or _unscheduled(status) or _broken(status)


def _waiting(status: Mapping[str, Any]) -> str:
    """Return what a container waits for that will not come, KFP's own ones among them."""
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if word := _WAITING.get(waiting.get("reason", "")):
                return f"{word}: {waiting.get('message') or waiting['reason']}"
    return ""


def _unscheduled(status: Mapping[str, Any]) -> str:
    for condition in status.get("conditions") or ():
        if condition.get("reason") == "Unschedulable":
            return f"no node takes it: {condition.get('message', '')}"
    return ""


def _broken(status: Mapping[str, Any]) -> str:
    if status.get("phase") != "Failed":
        return ""
    return str(status.get("message") or status.get("reason") or "it failed")


def _stage(pod: Pod) -> str:
    """Return the stage whose task a pod runs, or drives and has failed to; nothing for others.

    Argo names a pod's node by the way to it, `RUN.root.exit-handler-1.build.executor`, and numbers
    the tries, `executor(0)`.
    """
    path = str((pod["metadata"].get("annotations") or {}).get(_NODE, ""))
    names = [part.partition("(")[0] for part in path.split(".")]
    if names[-1] == "executor":
        names.pop()
    if names and (pod.get("status") or {}).get("phase") == "Failed":
        names[-1] = names[-1].removesuffix("-driver")
    stage = _STAGE_OF.get(names[-1], names[-1]) if names else ""
    return stage if stage in STAGES and stage != "report" else ""


def _main(pod: Pod) -> Mapping[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((one for one in statuses if one.get("name") == "main"), {})


def _limit(pod: Pod) -> str:
    containers = (pod.get("spec") or {}).get("containers") or ()
    main: Mapping[str, Any] = next((one for one in containers if one.get("name") == "main"), {})
    return str(((main.get("resources") or {}).get("limits") or {}).get("memory", ""))


def _order(pod: Pod) -> tuple[float, str]:
    """Return what the tries of one task are in order by: clocks here count whole seconds."""
    return _began(pod), str((pod["metadata"].get("annotations") or {}).get(_NODE, ""))


def _began(pod: Pod) -> float:
    return _seconds(pod["metadata"].get("creationTimestamp"))


def _seconds(text: Any) -> float:
    return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else 0.0
