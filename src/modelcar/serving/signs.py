"""What the objects of an InferenceService say of themselves: reasons, messages, log lines. Pure.

A new place to look is a new source of signs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Where = Literal["service", "creating", "pod", "scheduling", "waiting", "ended", "log"]
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was fetched of one service; what may not be read is absent.

    `logs` holds the last lines of crashed containers by `pod/container`.
    """

    service: Object
    pods: Sequence[Object] = ()
    deployment: Object | None = None
    events: Sequence[Object] = ()
    logs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that an object says of itself; `text` is `reason: message`, or a log."""

    where: Where
    subject: str
    text: str
    restarts: int = 0


def signs(seen: Seen) -> Iterator[Sign]:
    """Yield all signs; pods that are being deleted are of an earlier revision, and say nothing."""
    pods = [pod for pod in seen.pods if "deletionTimestamp" not in pod["metadata"]]
    yield from _service_signs(seen.service)
    if not pods:  # what hindered creating them is history once they are there
        yield from _creation_signs(seen)
    for pod in pods:
        yield from _pod_signs(pod)
        for subject, restarts in crashed(pod):
            if subject in seen.logs:
                yield Sign("log", subject, seen.logs[subject], restarts)


def crashed(pod: Object) -> Iterator[tuple[str, int]]:
    """Yield `pod/container` and restarts of each container that ended badly and does not run."""
    for container in _containers(pod):
        if _ended(container):
            yield f"{pod['metadata']['name']}/{container['name']}", _restarts(container)


def _service_signs(service: Object) -> Iterator[Sign]:
    status, name = service.get("status", {}), service["metadata"]["name"]
    for condition in status.get("conditions", ()):
        if condition["type"] == "Stopped" and condition["status"] == "True":
            yield Sign("service", name, _text("Stopped", condition.get("message")))
    model = status.get("modelStatus", {})
    failure = model.get("lastFailureInfo", {})
    if failure.get("reason"):
        yield Sign("service", name, _text(failure["reason"], failure.get("message")))
    if model.get("transitionStatus") == "InvalidSpec":
        yield Sign("service", name, _text("InvalidSpec", failure.get("message")))


def _creation_signs(seen: Seen) -> Iterator[Sign]:
    deployment = seen.deployment or {}
    for condition in deployment.get("status", {}).get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            text = _text(condition.get("reason", ""), condition.get("message"))
            yield Sign("creating", deployment["metadata"]["name"], text)
    for event in seen.events:
        if event.get("reason") == "FailedCreate":
            subject = event.get("involvedObject", {}).get("name", "")
            yield Sign("creating", subject, _text("FailedCreate", event.get("message")))


def _pod_signs(pod: Object) -> Iterator[Sign]:
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if status.get("reason"):
        yield Sign("pod", name, _text(status["reason"], status.get("message")))
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            text = _text(condition.get("reason", ""), condition.get("message"))
            yield Sign("scheduling", name, text)
    for container in _containers(pod):
        yield from _container_signs(f"{name}/{container['name']}", container)


def _container_signs(subject: str, container: Object) -> Iterator[Sign]:
    restarts = _restarts(container)
    if waiting := container.get("state", {}).get("waiting"):
        text = _text(waiting.get("reason", ""), waiting.get("message"))
        yield Sign("waiting", subject, text, restarts)
    if ended := _ended(container):
        text = _text(ended.get("reason", ""), ended.get("message"))
        yield Sign("ended", subject, text, restarts)


def _ended(container: Object) -> Mapping[str, Any] | None:
    """Return how it ended badly; while it runs, what ended it before is history."""
    state, last = container.get("state", {}), container.get("lastState", {})
    ended = state.get("terminated") or ("running" not in state and last.get("terminated"))
    return ended if ended and ended.get("exitCode") else None


def _containers(pod: Object) -> Iterator[Object]:
    status = pod.get("status", {})
    for kind in ("initContainerStatuses", "containerStatuses"):
        yield from status.get(kind, ())


def _restarts(container: Object) -> int:
    return int(container.get("restartCount", 0))


def _text(reason: str, message: str | None) -> str:
    return f"{reason}: {message.strip()}" if message else reason
