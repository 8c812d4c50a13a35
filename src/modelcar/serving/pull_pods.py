"""Pods that only name an image, so that a node pulls it, and how far they are. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from modelcar.names import dns_name
from modelcar.serving.manifest import Manifest, image_name, tolerated
from modelcar.values import ImageDigest, Model

LABEL: Final = "modelcar-pipelines.io/pre-pull"
"""On each such pod, with the name of the service."""
_LITTLE: Final = {"cpu": "10m", "memory": "16Mi"}
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PULLED: Final = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
"""What a container waits for only once its image is on the node."""


def pull_pod(model: Model, image: ImageDigest, node: str, suffix: str, seconds: int) -> Manifest:
    """Return the pod by which `node` pulls the image; it ends by itself after `seconds`.

    It goes through the scheduler, as a DaemonSet's does, so that a full node is said. Raises
    DeployError for an image in a layout.
    """
    name = dns_name(model.name)
    metadata = {"name": f"{name}-pull-{suffix}", "labels": {LABEL: name}}
    spec = _spec(model, image, node, seconds)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def pulled(pod: Mapping[str, Any]) -> bool:
    """Return whether the pod's node has the image: its container started, ended or failed to."""
    for status in pod.get("status", {}).get("containerStatuses", ()):
        state = status.get("state", {})
        if "running" in state or "terminated" in state:
            return True
        return state.get("waiting", {}).get("reason") in _PULLED
    return False


def node_of(pod: Manifest) -> str:
    """Return the node that a pod was made for."""
    terms = pod["spec"]["affinity"]["nodeAffinity"][_REQUIRED]["nodeSelectorTerms"]
    return str(terms[0]["matchFields"][0]["values"][0])


def over(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod has ended, well or not."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _spec(model: Model, image: ImageDigest, node: str, seconds: int) -> Manifest:
    here = {"key": "metadata.name", "operator": "In", "values": [node]}
    secret = model.serving.pull_secret
    return {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": seconds,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [{"matchFields": [here]}]}}},
        "tolerations": tolerated(model.serving),
        **({"imagePullSecrets": [{"name": secret}]} if secret else {}),
        "containers": [_container(image)],
    }


def _container(image: ImageDigest) -> Manifest:
    return {
        "name": "pull",
        "image": image_name(image),
        "command": ["sh", "-c", "exit 0"],
        "resources": {"requests": _LITTLE, "limits": _LITTLE},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
