"""How far the pods of a service have come, in words. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any


def progress(pods: Sequence[Mapping[str, Any]]) -> str:
    """Say how far the newest pod is: without a node, pulling, loading, or ready."""
    current = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    if not current:
        return "no pod yet"
    newest = max(current, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    node = newest.get("spec", {}).get("nodeName", "")
    return f"scheduled on {node}, {_step(newest)}" if node else "no node yet"


def _step(pod: Mapping[str, Any]) -> str:
    """Return what a pod does that has its node: its containers start when the images are there."""
    status = pod.get("status", {})
    if any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ())):
        return "ready"
    containers = status.get("containerStatuses", ())
    started = [container for container in containers if "running" in container.get("state", {})]
    return "loading the model" if containers and len(started) == len(containers) else "pulling"
