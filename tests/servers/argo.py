"""Plays Argo's controller and the kubelet for a pipeline's runs, against a real API server.

A run is a Workflow, each try of a task a pod, with the names, labels and annotations that KFP and
Argo give them. The processes run elsewhere, and who runs them says how they ended.
"""

import dataclasses
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from tests.servers.kube import KubeServer, Process
from tests.servers.kubelet import Kubelet
from tests.servers.loopback import Bytes, Request, Response

GROUP: Final = "/apis/argoproj.io/v1alpha1"
NODE_NAME: Final = "workflows.argoproj.io/node-name"
_WORKFLOW: Final = "workflows.argoproj.io/workflow"
_COMPLETED: Final = "workflows.argoproj.io/completed"
_MERGE: Final = "application/merge-patch+json"
_RUN_ID: Final = "pipeline/runid"


@dataclass(frozen=True)
class Namespace:
    """Where runs leave their objects; `logs` is a folder with the log of each pod, by its name."""

    server: KubeServer
    name: str
    node: str
    logs: Path

    @classmethod
    def of(cls, server: KubeServer, name: str, node: str, logs: Path) -> Self:
        """Return it so that it can be handed to another process, to which no server belongs."""
        logs.mkdir()
        ours = dataclasses.replace(server, process=Process((), server.process.log))
        return cls(ours, name, node, logs)

    def pods(self, run_id: str) -> dict[str, dict[str, Any]]:
        """Return the pods of a run, by what is left of their node's name behind the workflow's."""
        path = f"/api/v1/namespaces/{self.name}/pods?labelSelector={_RUN_ID}%3D{run_id}"
        found = self.server.request("GET", path)["items"]
        return {pod["metadata"]["annotations"][NODE_NAME].partition(".")[2]: pod for pod in found}

    def workflow(self, run_id: str) -> dict[str, Any]:
        """Return the one workflow of a run."""
        path = f"{GROUP}/namespaces/{self.name}/workflows?labelSelector={_RUN_ID}%3D{run_id}"
        (found,) = self.server.request("GET", path)["items"]
        return dict(found)


class Node(Kubelet):
    """A node whose kubelet gives the logs of a namespace's pods."""

    def __init__(self, server: KubeServer, logs: Path) -> None:
        super().__init__(server)
        self._folder = logs

    def answer(self, request: Request) -> Response:
        kind, *rest = request.path.strip("/").split("/")
        path = self._folder / rest[1] if kind == "containerLogs" else self._folder
        if not path.is_file():
            return Response(404)
        return Response(200, {"Content-Type": "text/plain"}, Bytes(path.read_bytes()))


@dataclass(frozen=True)
class Container:
    """What the pod of a task runs, and with what."""

    image: str
    command: Sequence[str] = ()
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    claim: str = ""
    """The volume claim that it mounts."""


@dataclass(frozen=True)
class Mishap:
    """What befalls the pod of a task before its process can do anything."""

    state: Mapping[str, Any]
    """Of the container `main`; nothing where it never came to be."""
    phase: str = "Failed"
    reason: str = ""
    message: str = ""


_UNPULLED: Final = 'Back-off pulling image "skopeo": ErrImagePull: manifest unknown'
_FULL_NODE: Final = (
    "The node was low on resource: ephemeral-storage. Threshold quantity: 2Gi, available: 1Gi. "
)
IMAGE_PULL_BACK_OFF: Final = Mishap(
    {"waiting": {"reason": "ImagePullBackOff", "message": _UNPULLED}}, phase="Pending"
)
OOM_KILLED: Final = Mishap({"terminated": {"exitCode": 137, "reason": "OOMKilled"}})
EVICTED: Final = Mishap({}, reason="Evicted", message=_FULL_NODE)


class Workflow:
    """One run while it lasts."""

    def __init__(self, namespace: Namespace, pipeline: str, run_id: str) -> None:
        self.name = f"{pipeline}-{secrets.token_hex(3)}"
        self._namespace, self._labels = namespace, {_RUN_ID: run_id}
        path = f"{GROUP}/namespaces/{namespace.name}/workflows"
        self._path = f"{path}/{self.name}"
        metadata = {"name": self.name, "labels": self._labels}
        status = {"phase": "Running", "startedAt": _now()}
        kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}
        body = {**kind, "metadata": metadata, "spec": {"entrypoint": "entrypoint"}}
        made = namespace.server.request("POST", path, {**body, "status": status})
        self._owner = {**kind, "name": self.name, "uid": made["metadata"]["uid"]}

    def end(self, phase: str, message: str = "") -> None:
        """Say how the run ended: Succeeded, Failed or Error."""
        labels = {"workflows.argoproj.io/phase": phase, _COMPLETED: "true"}
        status = {"phase": phase, "message": message, "finishedAt": _now()}
        body = {"metadata": {"labels": labels}, "status": status}
        self._namespace.server.request("PATCH", self._path, body, _MERGE)

    def pod(self, node: str, container: Container) -> "Pod":
        """Make the pod of one try; `node` is its node's name behind the workflow's."""
        name = f"{self.name}-system-container-impl-{secrets.token_hex(5)}"
        metadata = {
            "name": name,
            "labels": {**self._labels, _WORKFLOW: self.name, _COMPLETED: "false"},
            "annotations": {NODE_NAME: f"{self.name}.{node}"},
            "ownerReferences": [{**self._owner, "controller": True}],
        }
        spec = {"nodeName": self._namespace.node, **_spec(container)}
        path = f"/api/v1/namespaces/{self._namespace.name}/pods"
        self._namespace.server.request("POST", path, {"metadata": metadata, "spec": spec})
        return Pod(self._namespace, name, container.image)

    def driver(self, node: str) -> None:
        """Make the pod that went before a task's own, and worked out its input."""
        pod = self.pod(f"{node}-driver", Container("driver"))
        pod.end(0)


class Pod:
    """One try of a task."""

    def __init__(self, namespace: Namespace, name: str, image: str) -> None:
        self.name, self._image = name, image
        self._namespace, self._began = namespace, _now()

    @property
    def log(self) -> Path:
        """Where the kubelet finds what the container `main` said."""
        return self._namespace.logs / self.name

    def start(self) -> None:
        """Say that its containers run."""
        self._write("Running", {"running": {"startedAt": self._began}})

    def end(self, code: int, message: str = "") -> None:
        """Say that `main` ended; `message` is what it left for the kubelet."""
        ended = {"exitCode": code, "reason": "Error" if code else "Completed", "message": message}
        terminated = {**ended, "startedAt": self._began, "finishedAt": _now()}
        self._write("Failed" if code else "Succeeded", {"terminated": terminated})

    def meet(self, mishap: Mishap) -> None:
        """Say what befell it."""
        told = {"reason": mishap.reason, "message": mishap.message}
        state = dict(mishap.state)
        if ended := state.get("terminated"):
            state["terminated"] = {**ended, "startedAt": self._began, "finishedAt": _now()}
        self._write(mishap.phase, state, **{name: told[name] for name in told if told[name]})

    def _write(self, phase: str, state: Mapping[str, Any], **told: Any) -> None:
        container = {"image": self._image, "imageID": "", "ready": False, "restartCount": 0}
        main = {**container, "name": "main", "state": state}
        wait = {**container, "name": "wait", "state": {"running": {"startedAt": self._began}}}
        status = {"phase": phase, "startTime": self._began, **told}
        status["containerStatuses"] = [main, wait] if state else []
        path = f"/api/v1/namespaces/{self._namespace.name}/pods/{self.name}/status"
        self._namespace.server.request("PATCH", path, {"status": status}, _MERGE)


def _spec(container: Container) -> dict[str, Any]:
    """Return a pod's spec as Argo's: its own containers around `main`, and KFP's launcher."""
    main: dict[str, Any] = {"name": "main", "image": container.image}
    main |= {"command": list(container.command), "resources": container.resources}
    volumes = []
    if container.claim:
        volumes = [{"name": "claim", "persistentVolumeClaim": {"claimName": container.claim}}]
        main["volumeMounts"] = [{"name": "claim", "mountPath": "/mnt/models"}]
    return {
        "restartPolicy": "Never",
        "initContainers": [{"name": name, "image": name} for name in ("init", "kfp-launcher")],
        "containers": [{"name": "wait", "image": "argoexec"}, main],
        "volumes": volumes,
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
