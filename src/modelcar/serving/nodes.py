"""Which nodes may serve a model, by what they say of themselves. Pure."""

from collections.abc import Mapping
from typing import Any

from modelcar import quantity
from modelcar.serving.manifest import GPU, tolerated
from modelcar.values import Serving

Node = Mapping[str, Any]


def may_serve(node: Node, serving: Serving) -> bool:
    """Return whether a node takes such pods, and has enough GPUs."""
    gpus = quantity.parse(str(allocatable(node).get(GPU, "0"))) or 0
    return takes(node, serving) and gpus >= serving.gpus


def takes(node: Node, serving: Serving) -> bool:
    """Return whether a node takes such pods: it is open, and its taints are tolerated."""
    spec, tolerations = node.get("spec", {}), tolerated(serving)
    every = spec.get("taints") or ()
    taints = [taint for taint in every if taint["effect"] != "PreferNoSchedule"]
    open_to = all(any(_tolerates(one, taint) for one in tolerations) for taint in taints)
    return open_to and not spec.get("unschedulable")


def allocatable(node: Node) -> Mapping[str, Any]:
    """Return what a node has for pods, by resource, as quantities."""
    found: Mapping[str, Any] = node.get("status", {}).get("allocatable") or {}
    return found


def _tolerates(toleration: Mapping[str, str], taint: Mapping[str, str]) -> bool:
    """Return whether a toleration matches a taint, as Kubernetes compares them."""
    if toleration.get("effect", taint["effect"]) != taint["effect"]:
        return False
    same = toleration["key"] == taint["key"]
    exists = toleration["operator"] == "Exists"
    return same and (exists or toleration.get("value", "") == taint.get("value", ""))
