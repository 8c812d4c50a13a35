"""The verb `diagnose` against a real API server, and the logs that only a kubelet has."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from modelcar.serving.objects import Objects
from tests.byte_path import modelcar, refused, told
from tests.servers.kserve import GROUP, MERGE, PLURAL, VERSION, deployment
from tests.servers.kube import KubeServer
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response

NAME = "mistral"
URI = f"oci://quay.example/models/mistral@sha256:{'a' * 64}"


@dataclass
class Place:
    """A namespace of the API server with a service in it."""

    kube: KubeServer
    namespace: str
    folder: Path

    def create(self, path: str, body: dict[str, Any], status: dict[str, Any]) -> None:
        self.kube.request("POST", path, body)
        patch = f"{path}/{body['metadata']['name']}/status"
        self.kube.request("PATCH", patch, {"status": status}, MERGE)

    def service(self, **status: Any) -> None:
        predictor = {"model": {"modelFormat": {"name": "vLLM"}, "storageUri": URI}}
        body = {"apiVersion": f"{GROUP}/{VERSION}", "kind": "InferenceService"}
        metadata = {"name": NAME, "namespace": self.namespace}
        path = f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/{PLURAL}"
        whole = {**body, "metadata": metadata, "spec": {"predictor": predictor}}
        self.create(path, whole, status)

    def pod(self, **status: Any) -> None:
        labels = {"serving.kserve.io/inferenceservice": NAME}
        containers = [{"name": "kserve-container", "image": "vllm"}]
        body = {"metadata": {"name": f"{NAME}-1", "labels": labels}}
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        self.create(path, {**body, "spec": {"containers": containers}}, status)

    def rolled_out(self, uri: str) -> None:
        """Create the service's Deployment, with that image and all its replicas."""
        names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        status = {"observedGeneration": 1, **dict.fromkeys(names, 1)}
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        self.create(path, deployment(NAME, uri), status)

    def diagnose(self, *options: str, user: str = "admin") -> Any:
        kubeconfig = self.kube.kubeconfig(user, self.namespace)
        return modelcar(self.folder, "diagnose", NAME, *options, KUBECONFIG=str(kubeconfig))


@pytest.fixture
def place(kube: KubeServer, tmp_path: Path) -> Place:
    namespace = f"why-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    return Place(kube, namespace, tmp_path)


def ready(status: str, message: str = "") -> dict[str, Any]:
    said = {"message": message} if message else {}
    return {"conditions": [{"type": "Ready", "status": status, **said}]}


def test_a_ready_service_is_said_to_be(place: Place) -> None:
    place.service(**ready("True"))
    place.rolled_out(URI)
    done = place.diagnose()
    assert done.stdout == f"{place.namespace}/{NAME} is ready, and serves {URI}\n", done.stderr


def test_a_service_that_is_ready_with_another_image_is_not(place: Place) -> None:
    place.service(**ready("True"))
    place.rolled_out(URI.replace("a" * 64, "b" * 64))
    lines = place.diagnose().stdout.splitlines()
    assert lines[0].startswith(f"{place.namespace}/{NAME} is not ready: ")


def test_causes_come_with_remedies_the_weightiest_first(place: Place) -> None:
    place.service(**ready("False", "MinimumReplicasUnavailable"))
    state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s"}}
    ended = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
    container = {"name": "kserve-container", "image": "vllm", "imageID": "", "ready": False}
    status = {**container, "restartCount": 3, "state": state, "lastState": ended}
    place.pod(containerStatuses=[status])
    shown, listed = place.diagnose(), told(place.diagnose("--json"))

    lines = shown.stdout.splitlines()
    assert lines[0] == f"{place.namespace}/{NAME} is not ready: MinimumReplicasUnavailable"
    assert lines[1].startswith("1. it needed more memory than its limit (mistral-1/kserve-cont")
    assert lines[2] == "   raise serving.memory (shared memory counts too)"
    assert lines[3].startswith("2. it starts and ends again and again")
    assert [cause["terminal"] for cause in listed["causes"]] == [True, True]
    assert (listed["ready"], listed["image"]) == (False, URI)


def test_a_pod_that_is_refused_is_told_by_its_event(place: Place) -> None:
    place.service(**ready("False"))
    about = {"kind": "ReplicaSet", "name": f"{NAME}-predictor-5d", "namespace": place.namespace}
    event = {
        "metadata": {"name": "why.1", "namespace": place.namespace},
        "involvedObject": about,
        "type": "Warning",
        "reason": "FailedCreate",
        "message": "pods is forbidden: exceeded quota: gpus",
    }
    place.kube.request("POST", f"/api/v1/namespaces/{place.namespace}/events", event)

    lines = place.diagnose().stdout.splitlines()
    assert lines[1].startswith("1. the namespace's quota leaves no room for the pod (mistral-pred")


def test_what_is_not_known_is_not_guessed(place: Place) -> None:
    place.service(**ready("Unknown"))
    assert place.diagnose().stdout.splitlines() == [
        f"{place.namespace}/{NAME} is not ready: no condition says why",
        "nothing that is known hinders it; it may still be starting",
    ]


def test_a_service_that_is_not_there_and_one_that_may_not_be_read(place: Place) -> None:
    refused(place.diagnose(), "there is no such InferenceService; deploy it, or check the name")
    refused(place.diagnose(user="pipeline"), "cannot get resource", "add this rule to a Role")


class Kubelet(LoopbackServer):
    """Answers for the logs of pods, as the API server does with a kubelet behind it."""

    def answer(self, request: Request) -> Response:
        if request.query.get("previous") == "true" and "first" in request.path:
            return Response.json({"message": "previous terminated container not found"}, 400)
        if "hidden" in request.path:
            return Response.json({"message": "forbidden"}, 403)
        lines = json.dumps(dict(request.query), sort_keys=True).encode()
        return Response(200, {"Content-Type": "text/plain"}, Bytes(lines + b"\n\xff last"))


@pytest.mark.parametrize(("pod", "previous"), [("again", "true"), ("first", "false")])
def test_the_log_is_that_of_the_run_that_crashed(pod: str, previous: str) -> None:
    with Kubelet() as server:
        api = ApiClient(Configuration(host=server.url))
        found = Objects(api, "models").log(pod, "kserve-container")
        hidden = Objects(api, "models").log("hidden", "kserve-container")

    asked, last = found.splitlines()
    query = {"container": "kserve-container", "limitBytes": "1000000", "tailLines": "1000"}
    assert json.loads(asked) == {**query, "previous": previous}
    assert last == "\N{REPLACEMENT CHARACTER} last"
    assert hidden == ""
