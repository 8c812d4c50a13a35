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


def _wanted(serving: Serving) -> Amounts:
    asked = {GPU: str(serving.gpus), "cpu": serving.cpu, "memory": serving.memory}
    return {name: quantity.parse(text) or Decimal(0) for name, text in asked.items()}


def _quotas_allow(objects: Objects, serving: Serving) -> bool:
    quotas = objects.quotas()
    if quotas is None:
        return False
    wanted = {"pods": Decimal(1)}
    for name, amount in _wanted(serving).items():
        wanted |= {name: amount, f"requests.{name}": amount, f"limits.{name}": amount}
    return all(wanted.get(name, left) <= left for quota in quotas for name, left in _left(quota))


def _left(quota: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    status = quota.get("status", {})
    used = status.get("used", {})
    for name, hard in status.get("hard", {}).items():
        yield name, _parsed(hard) - _parsed(used.get(name))


def _room(objects: Objects, serving: Serving) -> bool:
    nodes = objects.nodes(serving.node_selector) or ()
    return any(may_serve(node, serving) and _holds(objects, node, serving) for node in nodes)


def _holds(objects: Objects, node: Mapping[str, Any], serving: Serving) -> bool:
    pods = objects.pods_on(node["metadata"]["name"])
    if pods is None:
        return False
    there = [pod for pod in pods if pod.get("status", {}).get("phase") not in _OVER]
    return all(
        amount <= _parsed(allocatable(node).get(name)) - sum(_requested(pod, name) for pod in there)
        for name, amount in _wanted(serving).items()
    )


def _requested(pod: Mapping[str, Any], name: str) -> Decimal:
    def of(kind: str) -> list[Decimal]:
        containers = pod["spec"].get(kind, ())
        every = (one.get("resources", {}).get("requests", {}) for one in containers)
        return [_parsed(requests.get(name)) for requests in every]

    return max(sum(of("containers"), Decimal(0)), *of("initContainers"), Decimal(0))


def _parsed(text: Any) -> Decimal:
    return quantity.parse(str(text or 0)) or Decimal(0)
