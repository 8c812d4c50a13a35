"""A namespace of the API server in which models are deployed, with a vLLM to ask."""

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from modelcar.serving.deploy import deploy
from modelcar.values import Endpoint, ImageDigest, Model
from tests.servers import openshift
from tests.servers.kserve import GROUP, MERGE, bring_up, services
from tests.servers.kube import KubeServer
from tests.servers.vllm import VllmServer
from tests.serving_models import IMAGE, quantized

MODEL = quantized()
NAME = MODEL.name
POD = f"{NAME}-1"


class Listener(logging.Handler):
    """Acts, once each, upon what the library logs, in the thread that logs; a context manager."""

    def __init__(self) -> None:
        super().__init__()
        self._acts: list[tuple[str, Callable[[], object]]] = []
        self._logger = logging.getLogger("modelcar")
        self._level = self._logger.level

    def upon(self, words: str, act: Callable[[], object]) -> None:
        self._acts.append((words, act))

    def event(self, words: str) -> threading.Event:
        """Return an event that is set once the library has said `words`."""
        said = threading.Event()
        self.upon(words, said.set)
        return said

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        due = [one for one in self._acts if one[0] in message]
        self._acts = [one for one in self._acts if one not in due]
        for _, act in due:
            act()

    def __enter__(self) -> Self:
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        return self

    def __exit__(self, *error: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)


@dataclasses.dataclass
class Site:
    """One namespace of the API server, with a KServe and a vLLM of its own."""

    server: KubeServer
    namespace: str
    vllm: VllmServer

    def deploy(self, model: Model = MODEL, image: ImageDigest = IMAGE, **options: Any) -> Endpoint:
        api = options.pop("api", None) or self.server.client()
        return deploy(api, model, image, self.namespace, **{"timeout": 30.0, **options})

    def add_runtime(self, name: str = MODEL.serving.runtime) -> None:
        """Create the serving runtime that models name."""
        self.server.request("POST", self.runtimes, openshift.runtime(name))

    @contextmanager
    def template(self, namespace: str, template: dict[str, Any]) -> Iterator[None]:
        """Have a template stand in a namespace of OpenShift AI."""
        path = "/api/v1/namespaces"
        there = self.server.request("GET", path)["items"]
        if namespace not in {one["metadata"]["name"] for one in there}:
            self.server.request("POST", path, {"metadata": {"name": namespace}})
        templates = f"/apis/template.openshift.io/v1/namespaces/{namespace}/templates"
        self.server.request("POST", templates, template)
        try:
            yield
        finally:
            self.server.request("DELETE", f"{templates}/{template['metadata']['name']}")

    def service(self) -> dict[str, Any]:
        found = self.server.request("GET", f"{self.path}/{NAME}")
        assert isinstance(found, dict)
        return found

    def merge(self, patch: dict[str, Any]) -> None:
        self.server.request("PATCH", f"{self.path}/{NAME}", patch, MERGE)

    def add_pod(self, status: dict[str, Any]) -> None:
        """Create a pod of the service, and write its status."""
        labels = {"serving.kserve.io/inferenceservice": NAME}
        containers = [{"name": "kserve-container", "image": "vllm"}]
        metadata = {"name": POD, "labels": labels}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}
        self.server.request("POST", self.pods, {**pod, "spec": {"containers": containers}})
        self.set_pod(status)

    def set_pod(self, status: dict[str, Any]) -> None:
        """Write the status of the service's pod."""
        self.server.request("PATCH", f"{self.pods}/{POD}/status", {"status": status}, MERGE)

    def bind(self, node: str) -> None:
        """Place the service's pod on a node, as the scheduler does."""
        binding = {"metadata": {"name": POD}, "target": {"kind": "Node", "name": node}}
        self.server.request("POST", f"{self.pods}/{POD}/binding", binding)

    def set_service(self, status: dict[str, Any]) -> None:
        """Write the status of the service, as KServe does."""
        self.server.request("PATCH", f"{self.path}/{NAME}/status", {"status": status}, MERGE)

    def bring_up(self) -> None:
        """Roll out what the service names, and have it ready."""
        bring_up(self.server, self.service(), self.vllm.url)

    @property
    def pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"

    @property
    def runtimes(self) -> str:
        return f"/apis/{GROUP}/v1alpha1/namespaces/{self.namespace}/servingruntimes"

    @property
    def path(self) -> str:
        return services(self.namespace)
