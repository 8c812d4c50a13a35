"""Waiting for an InferenceService until it serves one digest, and knowing when to stop."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any

from modelcar.errors import DeployError
from modelcar.serving.diagnose import Diagnosis, diagnose, diagnoses
from modelcar.serving.history import image_of
from modelcar.serving.manifest import SETTINGS, Manifest
from modelcar.serving.objects import Objects
from modelcar.serving.progress import progress
from modelcar.serving.signs import Seen, crashed
from modelcar.serving.watching import Watching
from modelcar.values import Digest
from modelcar.wording import duration

_FEW = 2


@dataclass(frozen=True, slots=True)
class State:
    """What stands in the cluster at one moment; None: it may not be read, or is not there."""

    service: Manifest
    deployment: dict[str, Any] | None
    pods: Sequence[dict[str, Any]] | None
    events: Sequence[dict[str, Any]] = ()
    logs: Mapping[str, str] = field(default_factory=dict)

    def diagnose(self) -> Diagnosis | None:
        """Return what hinders the service, None when nothing is known to."""
        return diagnose(self.seen())

    def seen(self) -> Seen:
        """Return what a diagnosis is made of."""
        return Seen(self.service, self.pods or (), self.deployment, self.events, self.logs)

    def serves(self, digest: Digest) -> bool:
        """Return whether `digest` is rolled out and the service ready.

        The service's own condition comes last: after an update it stays True for a while, and its
        observedGeneration is the Deployment's.
        """
        return self._shows(str(digest))

    def serves_its_own(self) -> bool:
        """Return whether the image that the service names is rolled out, and the service ready."""
        return self._shows(image_of(self.service).removeprefix("oci://").rpartition("@")[2])

    def _shows(self, image: str) -> bool:
        return self._rolled_out(image) and condition(self.service, "Ready") == "True"

    def _rolled_out(self, image: str) -> bool:
        if self.deployment is not None and not self._up_to_date(self.deployment):
            return False
        if self.deployment is None and self.pods is None:
            return True
        running = [pod for pod in self.pods or () if _serving(pod)]
        template = (self.deployment or {}).get("spec", {}).get("template")
        # Which container has it depends on KServe's mode, and in the template it is an annotation.
        return image in json.dumps([template, [pod.get("spec") for pod in running]])

    def _up_to_date(self, deployment: dict[str, Any]) -> bool:
        """Return whether a Deployment is complete, and made for the service's settings.

        A template without the fingerprint says nothing of them.
        """
        wanted = (self.service["metadata"].get("annotations") or {}).get(SETTINGS)
        template = deployment["spec"].get("template", {}).get("metadata") or {}
        there = (template.get("annotations") or {}).get(SETTINGS, wanted)
        return there == wanted and _complete(deployment)


@dataclass(slots=True)
class Patience:
    """Gives up on what cannot heal, once it has stood for `settle` seconds."""

    settle: float
    worst: Diagnosis | None = None
    """What cannot heal, as long as it stands."""
    _since: float = 0.0

    def tried_by(self, diagnosis: Diagnosis | None, now: float) -> bool:
        """Take note of `diagnosis` at `now`, in seconds, and return whether to give up.

        A failing pull shows its reason only now and then, and merely backs off between: the same
        place that says less has not healed.
        """
        if diagnosis and diagnosis.terminal and diagnosis.where == "log":
            self.worst = diagnosis  # it ended so more than once, and says why
            return True
        if self.worst and (diagnosis is None or diagnosis.where != self.worst.where):
            self.worst = None
        if diagnosis and diagnosis.terminal:
            self._since = self._since if self.worst else now
            self.worst = diagnosis
        return self.worst is not None and now - self._since >= self.settle


@dataclass(frozen=True, slots=True)
class Rollout:
    """One wait: for at most `timeout` seconds, for `settle` seconds on what cannot heal."""

    objects: Objects
    name: str
    timeout: float
    settle: float

    def wait(self, digest: Digest) -> Manifest:
        """Return the service once it serves `digest`; raise DeployError with cause and remedy."""
        patience = Patience(self.settle)
        watching = Watching(self._what, self.name, time.monotonic() + self.timeout)
        while True:
            state = watching.read(self._state)
            if state.serves(digest):
                return state.service
            diagnosis = state.diagnose()
            line = diagnosis.cause if diagnosis else progress(state.pods or ())
            watching.say(f"waiting until it is ready: {line}")
            if patience.tried_by(diagnosis, time.monotonic()) or watching.left <= 0:
                raise self._failure(state, patience.worst or diagnosis)
            version = state.service["metadata"]["resourceVersion"]
            watching.pause(partial(self.objects.await_change, self.name, version), self.settle)

    def _state(self) -> State:
        state = look(self.objects, self.name)
        if state is None:
            raise DeployError(self._what, "it was deleted meanwhile", "deploy again")
        return state

    def _failure(self, state: State, diagnosis: Diagnosis | None) -> DeployError:
        failure = hindered(self._what, diagnosis) if diagnosis else self._unexplained(state)
        for found in _besides(state, failure.why):
            failure.add_note(found)
        return failure

    def _unexplained(self, state: State) -> DeployError:
        said = condition(state.service, "Ready", "message") or "no condition says why"
        why = f"it is not ready after {duration(self.timeout)} ({said})"
        remedy = f"look at `oc describe inferenceservice {self.name}` and its pods' logs"
        return DeployError(self._what, why, f"{remedy}, or wait longer with --timeout")

    @property
    def _what(self) -> str:
        return f"deploying {self.objects.namespace}/{self.name}"


def hindered(what: str, diagnosis: Diagnosis) -> DeployError:
    """Return the error that names cause and remedy, its evidence as notes."""
    failure = DeployError(what, diagnosis.cause, diagnosis.remedy)
    for quoted in diagnosis.evidence:
        failure.add_note(quoted)
    return failure


def _besides(state: State, told: str) -> Iterator[str]:
    """Yield what else hinders the service, and how its pods stand: a few of each."""
    others = (one.cause for one in diagnoses(state.seen()) if one.cause != told)
    yield from (f"also: {cause}" for cause in islice(others, _FEW))
    for pod in (state.pods or ())[:_FEW]:
        phase = pod.get("status", {}).get("phase", "unknown")
        node = pod.get("spec", {}).get("nodeName")
        yield f"pod {pod['metadata']['name']}: {phase}" + (f" on {node}" if node else "")


def look(objects: Objects, name: str) -> State | None:
    """Read what stands of a service, and why where it does not come up; None for no service."""
    service = objects.service(name)
    if service is None:
        return None
    pods = objects.pods(name)
    state = State(service, objects.deployment(name), pods)
    if state.serves_its_own():
        return state
    ended = [subject for pod in pods or () for subject, _ in crashed(pod)]
    logs = {subject: objects.log(*subject.split("/")) for subject in ended}
    events = () if pods else objects.warnings(f"{name}-predictor")
    return replace(state, events=events, logs={name: text for name, text in logs.items() if text})


def condition(service: Manifest, kind: str, key: str = "status") -> str:
    """Return `key` of the service's condition `kind`, or nothing when it has none."""
    conditions = service.get("status", {}).get("conditions", ())
    return next((str(c.get(key, "")) for c in conditions if c["type"] == kind), "")


def _complete(deployment: dict[str, Any]) -> bool:
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    seen = int(status.get("observedGeneration", 0)) >= int(deployment["metadata"]["generation"])
    counts = {status.get(key, 0) for key in ("updatedReplicas", "availableReplicas", "replicas")}
    return seen and counts == {wanted}


def _serving(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]
