"""From what stands in the cluster to one cause and one remedy.

Signs are gathered from the InferenceService and its pods; the first rule in the table that knows
one of them speaks. A new symptom is a new row; a new place to look is a new source of signs.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from modelcar.wording import line

Where = Literal["service", "pod", "scheduling", "waiting", "ended"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a service is not ready, what to do, and whether waiting longer cannot heal it."""

    cause: str
    remedy: str
    terminal: bool
    where: Where


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing that an object says of itself; `text` is `reason: message`."""

    where: Where
    subject: str
    text: str
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the table: a sign that matches, and what it means.

    `terminal_after` is the number of restarts from which on waiting cannot heal it; None: never.
    """

    where: Where
    pattern: str
    cause: str
    remedy: str
    terminal_after: int | None = None


_PULL = r"^(ErrImagePull|ImagePullBackOff|RegistryUnavailable|InvalidImageName).*"
RULES: tuple[Rule, ...] = (
    Rule(
        "service",
        r"^Stopped\b",
        "the service is stopped",
        "start it: remove its annotation serving.kserve.io/stop",
        0,
    ),
    Rule(
        "service",
        r"^(RuntimeNotRecognized|NoSupportingRuntime|RuntimeDisabled)\b",
        "the serving runtime is missing in this namespace",
        "create it: `oc process -n redhat-ods-applications vllm-cuda-runtime-template"
        " | oc apply -n NAMESPACE -f -`, or name another as serving.runtime",
        0,
    ),
    Rule(
        "service",
        r"^(InvalidPredictorSpec|InvalidSpec)\b",
        "KServe finds the specification invalid",
        "correct the model's serving section",
        0,
    ),
    Rule(
        "scheduling",
        r"^Unschedulable\b.*Insufficient",
        "no node has the resources free",
        "free GPUs (stop another service), add a node, or ask for less",
    ),
    Rule(
        "scheduling",
        r"^Unschedulable\b.*(affinity/selector|node selector)",
        "no node fits the node selector",
        "correct serving.node_selector, or add such a node (scale its MachineSet)",
    ),
    Rule(
        "scheduling",
        r"^Unschedulable\b.*taint",
        "no node is left that the pod tolerates",
        "remove the taint, or add a node without it",
    ),
    Rule(
        "scheduling",
        r"^Unschedulable\b",
        "the pod cannot be scheduled",
        "make room for it, or correct what the scheduler names",
    ),
    Rule(
        "waiting",
        _PULL + r"(unauthori[sz]ed|authentication required|denied|forbidden|401|403)",
        "the node may not pull the image",
        "name a pull secret for this OCI registry as serving.pull_secret, or link one to the"
        " service account",
        0,
    ),
    Rule(
        "waiting",
        _PULL + r"(manifest unknown|not found|name unknown)",
        "the OCI registry does not have the image",
        "mirror it again, and deploy the digest that the mirror step prints",
        0,
    ),
    Rule(
        "waiting",
        _PULL + r"(x509|certificate)",
        "the node does not trust the OCI registry's certificate",
        "add its CA to the cluster's image configuration (additionalTrustedCA)",
        0,
    ),
    Rule(
        "waiting",
        _PULL + r"context canceled",
        "the node gave up while it pulled a large layer",
        "raise CRI-O's pull_progress_timeout (10 s by default) on the GPU nodes",
    ),
    Rule(
        "pod",
        r"(no space left|DiskPressure|ephemeral-storage)",
        "the node's disk is too small for the image",
        "give the GPU nodes a larger root disk: twice the image's size",
    ),
    Rule(
        "waiting",
        _PULL + r"no space left",
        "the node's disk is too small for the image",
        "give the GPU nodes a larger root disk: twice the image's size",
    ),
    Rule(
        "waiting",
        _PULL,
        "the image cannot be pulled",
        "read the pod's events: `oc describe pod`",
    ),
    Rule(
        "ended",
        r"(NOK \.\.\. Prefetched|exec: \"?sh\"?: )",
        "the image is no ModelCar: it needs a shell and a filled folder /models",
        "build it again on the default base image",
        0,
    ),
    Rule(
        "ended",
        r"^OOMKilled\b",
        "it needed more memory than its limit",
        "raise serving.memory (shared memory counts too)",
        2,
    ),
    Rule(
        "waiting",
        r"^CrashLoopBackOff\b",
        "it starts and ends again and again",
        "read what it said last: `oc logs --previous`",
        2,
    ),
)


def diagnose(
    service: dict[str, Any], pods: Sequence[dict[str, Any]], rules: Sequence[Rule] = RULES
) -> Diagnosis | None:
    """Return what hinders `service`, from its status and the states of its `pods`; None: nothing.

    Pods that are being deleted belong to an earlier revision and say nothing.
    """
    signs = [*_service_signs(service), *_pod_signs(pods)]
    for rule in rules:
        for sign in signs:
            if sign.where == rule.where and re.search(rule.pattern, sign.text, re.DOTALL):
                return _diagnosis(rule, sign)
    return None


def _diagnosis(rule: Rule, sign: Sign) -> Diagnosis:
    terminal = rule.terminal_after is not None and sign.restarts >= rule.terminal_after
    cause = f"{rule.cause} ({sign.subject}: {line(sign.text)})"
    return Diagnosis(cause, rule.remedy, terminal, rule.where)


def _service_signs(service: dict[str, Any]) -> Iterator[Sign]:
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


def _pod_signs(pods: Sequence[dict[str, Any]]) -> Iterator[Sign]:
    for pod in pods:
        if "deletionTimestamp" in pod["metadata"]:
            continue
        name, status = pod["metadata"]["name"], pod.get("status", {})
        if status.get("reason"):
            yield Sign("pod", name, _text(status["reason"], status.get("message")))
        for condition in status.get("conditions", ()):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                text = _text(condition.get("reason", ""), condition.get("message"))
                yield Sign("scheduling", name, text)
        for kind in ("initContainerStatuses", "containerStatuses"):
            for container in status.get(kind, ()):
                yield from _container_signs(name, container)


def _container_signs(pod: str, container: dict[str, Any]) -> Iterator[Sign]:
    subject, restarts = f"{pod}/{container['name']}", container.get("restartCount", 0)
    state, last = container.get("state", {}), container.get("lastState", {})
    if "waiting" in state:
        waiting = state["waiting"]
        text = _text(waiting.get("reason", ""), waiting.get("message"))
        yield Sign("waiting", subject, text, restarts)
    # While it runs, what ended it before is history and says nothing.
    ended = state.get("terminated") or ("running" not in state and last.get("terminated"))
    if ended and ended.get("exitCode"):
        text = _text(ended.get("reason", ""), ended.get("message"))
        yield Sign("ended", subject, text, restarts)


def _text(reason: str, message: str | None) -> str:
    return f"{reason}: {message.strip()}" if message else reason
