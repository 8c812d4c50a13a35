"""Pods that only name an image, so that a node pulls it: what they are, and how far."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from modelcar.names import dns_name
from modelcar.serving.manifest import Manifest, image_name, tolerated
from modelcar.serving.objects import await_change
from modelcar.values import ImageDigest, Model

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Pod = dict[str, Any]

LABEL: Final = "modelcar-pipelines.io/pre-pull"
"""On each such pod, with the name of the service."""
_CONTAINER: Final = "pull"
_LITTLE: Final = {"cpu": "10m", "memory": "16Mi"}
_LIMIT: Final = {"_request_timeout": 60}
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
    """Return whether the pod's node has the image: its container started, ended or failed to.

    Of one that is evicted while it pulls, the kubelet writes a terminated state of its own.
    """
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        if status["name"] == _CONTAINER:
            state = status.get("state") or {}
            reason = (state.get("terminated") or {}).get("reason")
            ended = "terminated" in state and reason != "ContainerStatusUnknown"
            waits = (state.get("waiting") or {}).get("reason") in _PULLED
            return "running" in state or ended or waits
    return False


def unscheduled(pod: Mapping[str, Any]) -> str:
    """Return why the scheduler finds no room on the pod's node, nothing where it does."""
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("message") or condition.get("reason", ""))
    return ""


def reason_of(pod: Mapping[str, Any]) -> str:
    """Return what a pod that ended says of it."""
    status = pod.get("status") or {}
    said = (str(status.get(key, "")) for key in ("reason", "message"))
    return ": ".join(filter(None, said)) or "it does not say why"


def forgotten(pod: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a pod is past its own deadline: the run that made it is gone.

    While a pod has no node, the kubelet does not count.
    """
    made = datetime.fromisoformat(pod["metadata"]["creationTimestamp"])
    return now > made + timedelta(seconds=pod["spec"].get("activeDeadlineSeconds", 0))


def name_of(pod: Mapping[str, Any]) -> str:
    """Return the pod's name."""
    return str(pod["metadata"]["name"])


def node_of(pod: Mapping[str, Any]) -> str:
    """Return the node that a pod was made for."""
    terms = pod["spec"]["affinity"]["nodeAffinity"][_REQUIRED]["nodeSelectorTerms"]
    return str(terms[0]["matchFields"][0]["values"][0])


def over(pod: Mapping[str, Any]) -> bool:
    """Return whether a pod has ended, well or not."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _spec(model: Model, image: ImageDigest, node: str, seconds: int) -> Manifest:
    here = {"key": "metadata.name", "operator": "In", "values": [node]}
    secret = model.serving.pull_secret
    # It tolerates what is not known here; the pod goes to nodes that serve the model already.
    any_taint = {"operator": "Exists", "effect": "NoSchedule"}
    profile = [any_taint] if model.serving.hardware_profile else []
    return {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": seconds,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [{"matchFields": [here]}]}}},
        "tolerations": [*tolerated(model.serving), *profile],
        **({"imagePullSecrets": [{"name": secret}]} if secret else {}),
        "containers": [_container(image)],
    }


def _container(image: ImageDigest) -> Manifest:
    return {
        "name": _CONTAINER,
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


@dataclass(frozen=True, slots=True)
class PullPods:
    """The pods that pull for one service."""

    api: "ApiClient"
    namespace: str
    service: str

    def create(self, pods: Sequence[Pod]) -> None:
        """Create the pods."""
        from kubernetes.client import CoreV1Api

        for pod in pods:
            CoreV1Api(self.api).create_namespaced_pod(self.namespace, pod, **_LIMIT)

    def list(self) -> tuple[Sequence[Pod], str]:
        """Return the pods, and the version from which on they are watched."""
        from kubernetes.client import CoreV1Api

        listed = CoreV1Api(self.api).list_namespaced_pod(
            self.namespace, label_selector=self._selector, _preload_content=False, **_LIMIT
        )
        found = json.loads(listed.data)
        return found["items"], str(found["metadata"]["resourceVersion"])

    def await_change(self, version: str, seconds: float) -> bool:
        """Return True at the first change since that version, False after `seconds`."""
        from kubernetes.client import CoreV1Api

        chosen = {"label_selector": self._selector}
        listing = CoreV1Api(self.api).list_namespaced_pod
        return await_change(listing, [self.namespace], chosen, version, seconds)

    def delete(self, names: Collection[str]) -> None:
        """Delete the pods of these names; those that are gone are no fault."""
        from kubernetes.client import CoreV1Api
        from kubernetes.client.rest import ApiException

        for name in names:
            try:
                CoreV1Api(self.api).delete_namespaced_pod(name, self.namespace, **_LIMIT)
            except ApiException as error:
                if error.status != 404:
                    raise

    @property
    def _selector(self) -> str:
        return f"{LABEL}={self.service}"
