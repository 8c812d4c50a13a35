"""A namespace of the API server in which models are deployed, with a vLLM to ask."""

import dataclasses
from typing import Any

from modelcar.serving.deploy import deploy
from modelcar.values import Endpoint, ImageDigest, Model
from tests.servers.kserve import GROUP, MERGE, PLURAL, VERSION
from tests.servers.kube import KubeServer
from tests.servers.vllm import VllmServer
from tests.serving_models import IMAGE, quantized

MODEL = quantized()
NAME = MODEL.name


@dataclasses.dataclass
class Site:
    """One namespace of the API server, with a KServe and a vLLM of its own."""

    server: KubeServer
    namespace: str
    vllm: VllmServer

    def deploy(self, model: Model = MODEL, image: ImageDigest = IMAGE, **options: Any) -> Endpoint:
        api = options.pop("api", None) or self.server.client()
        return deploy(api, model, image, self.namespace, **{"timeout": 30.0, **options})

    def service(self) -> dict[str, Any]:
        found = self.server.request("GET", f"{self.path}/{NAME}")
        assert isinstance(found, dict)
        return found

    def merge(self, patch: dict[str, Any]) -> None:
        self.server.request("PATCH", f"{self.path}/{NAME}", patch, MERGE)

    def add_pod(self, status: dict[str, Any]) -> None:
        """Create a pod of the service, and write its status."""
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        labels = {"serving.kserve.io/inferenceservice": NAME}
        containers = [{"name": "kserve-container", "image": "vllm"}]
        metadata = {"name": f"{NAME}-1", "labels": labels}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        self.server.request("POST", pods, {**pod, "spec": {"containers": containers}})
        path = f"{pods}/{NAME}-1/status"
        self.server.request("PATCH", path, {"status": status}, "application/merge-patch+json")

    @property
    def path(self) -> str:
        return f"/apis/{GROUP}/{VERSION}/namespaces/{self.namespace}/{PLURAL}"
