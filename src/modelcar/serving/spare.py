"""Whether a new revision finds room beside the old one, and the strategy that follows."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from modelcar import quantity
from modelcar.serving.manifest import GPU, Manifest
from modelcar.serving.nodes import allocatable, may_serve
from modelcar.serving.objects import Objects
from modelcar.values import Serving

RECREATE: Final = "Recreate"
"""The old one ends first: a rolling update waits for a second set of GPUs, often for ever."""
ROLLING: Final = "RollingUpdate"
_BESIDES: Final = {"cpu": Decimal("0.5"), "memory": Decimal(1 << 30)}
_OVER: Final = ("Succeeded", "Failed")
Amounts = Mapping[str, Decimal]


def strategy(objects: Objects, serving: Serving) -> str:
    """Return RollingUpdate where a node is known to have room for a second pod, else Recreate.

    What a hardware profile adds is not known, nor are nodes, pods or quotas that may not be read.
    """
    if not serving.gpus or serving.hardware_profile:
        return RECREATE
    spare = _quotas_allow(objects, serving) and _room(objects, serving)
    return ROLLING if spare else RECREATE


def with_strategy(manifest: Manifest, kind: str) -> Manifest:
    """Return the InferenceService with that deployment strategy."""
    predictor = {**manifest["spec"]["predictor"], "deploymentStrategy": {"type": kind}}
    return {**manifest, "spec": {**manifest["spec"], "predictor": predictor}}


def strategy_of(service: Manifest) -> str:
    """Return the strategy that a service names, Recreate when it names none."""
    found = service["spec"]["predictor"].get("deploymentStrategy") or {}
    return str(found.get("type", RECREATE))


def _wanted(serving: Serving, memory: str) -> Amounts:
    """Return what a pod takes: the model's container, and the little ones beside it."""
    cpu, needed = _parsed(serving.cpu) + _BESIDES["cpu"], _parsed(memory) + _BESIDES["memory"]
    return {GPU: Decimal(serving.gpus), "cpu": cpu, "memory": needed}


def _quotas_allow(objects: Objects, serving: Serving) -> bool:
    own, shared = objects.quotas(), objects.cluster_quotas()
    if own is None or shared is None:
        return False
    states = [quota.get("status") or {} for quota in own]
    states += [(quota.get("status") or {}).get("total") or {} for quota in shared]
    wanted = {"pods": Decimal(1), "count/pods": Decimal(1)}
    limits = _wanted(serving, serving.memory_limit or serving.memory)
    for name, amount in _wanted(serving, serving.memory).items():
        wanted |= {name: amount, f"requests.{name}": amount, f"limits.{name}": limits[name]}
    return all(wanted.get(name, left) <= left for state in states for name, left in _left(state))


def _left(state: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    used = state.get("used") or {}
    for name, hard in (state.get("hard") or {}).items():
        yield name, _parsed(hard) - _parsed(used.get(name))


def _room(objects: Objects, serving: Serving) -> bool:
    waiting = objects.unscheduled()
    if waiting is None or any(_requested(pod, GPU) for pod in waiting):
        return False  # what is free is theirs
    nodes = objects.nodes(serving.node_selector) or ()
    return any(may_serve(node, serving) and _holds(objects, node, serving) for node in nodes)


def _holds(objects: Objects, node: Mapping[str, Any], serving: Serving) -> bool:
    pods = objects.pods_on(node["metadata"]["name"])
    if pods is None:
        return False
    there = [pod for pod in pods if pod.get("status", {}).get("phase") not in _OVER]
    return all(
        amount <= _parsed(allocatable(node).get(name)) - sum(_requested(pod, name) for pod in there)
        for name, amount in _wanted(serving, serving.memory).items()
    )


def _requested(pod: Mapping[str, Any], name: str) -> Decimal:
    """Return what a pod holds: at most what it runs at once, or one of its first containers.

    A sidecar that is written as an init container goes on beside the others.
    """

    def of(container: Mapping[str, Any]) -> Decimal:
        return _parsed(((container.get("resources") or {}).get("requests") or {}).get(name))

    spec = pod["spec"]
    first = spec.get("initContainers") or ()
    lasting = sum((of(one) for one in first if one.get("restartPolicy")), Decimal(0))
    running = sum((of(one) for one in spec.get("containers") or ()), lasting)
    return max(running, *(of(one) + lasting for one in first), Decimal(0))


def _parsed(text: Any) -> Decimal:
    return quantity.parse(str(text or 0)) or Decimal(0)
