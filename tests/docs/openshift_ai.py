"""OpenShift AI on a real API server: what its administrator has installed, and its controllers."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modelcar.bootstrap.asked import Request
from modelcar.bootstrap.namespace import bootstrap
from tests.docs.controllers import Controller, bind, empty, write_token
from tests.gpu_pool import GPU
from tests.servers import openshift
from tests.servers.kserve import MERGE, KServe
from tests.servers.kube import KubeServer
from tests.servers.pipelines_server import PipelinesServer
from tests.servers.vllm import VllmServer

NAMESPACE: Final = "models"
RELEASE: Final = "2.25.0"
_APPLICATIONS, _REGISTRIES = "redhat-ods-applications", "rhoai-model-registries"
_CONFIG: Final = "openshift-config-managed"
_ROUTE: Final = "/apis/route.openshift.io/v1"
_DSP: Final = "datasciencepipelinesapplications.opendatahub.io"
_NODES: Final = {
    "gpu-1": ("g6.4xlarge", "1"),
    "gpu-2": ("g6.4xlarge", "1"),
    "gpu-3": ("g6.12xlarge", "4"),
}


@dataclass
class OpenShiftAI:
    """The cluster; `pipelines` and `vllm` answer for the namespace `models`, which may be empty."""

    kube: KubeServer
    pipelines: PipelinesServer
    vllm: VllmServer

    def make_namespace(self, name: str = NAMESPACE) -> None:
        """Have a namespace be there, and what comes with one."""
        self.kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        for path, body in self.belongings().items():
            self.kube.request("POST", path.format(name), body)

    def belongings(self) -> dict[str, dict[str, Any]]:
        """Return what the cluster makes in a namespace, by the path that makes it.

        That of a pipelines server too, for which the user asks in the dashboard.
        """
        servers = f"/apis/{_DSP}/v1/namespaces/{{}}/{_DSP.partition('.')[0]}"
        kind = {"apiVersion": f"{_DSP}/v1", "kind": "DataSciencePipelinesApplication"}
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        account = {"apiVersion": "v1", "kind": "ServiceAccount"}
        accounts = "/api/v1/namespaces/{}/serviceaccounts"
        host = self.pipelines.url.removeprefix("https://")
        return {
            servers: {**kind, "metadata": {"name": "dspa"}, "status": ready},
            accounts: {**account, "metadata": {"name": "default"}},
            f"{accounts}?": {**account, "metadata": {"name": "pipeline-runner-dspa"}},
            f"{_ROUTE}/namespaces/{{}}/routes": _route("ds-pipeline-dspa", host),
        }

    def make_ready(self, namespace: str = NAMESPACE, **given: str) -> None:
        """Do what `modelcar bootstrap` does there; `given` is what an .env file has."""
        self.make_namespace(namespace)
        api = self.kube.client(namespace=namespace)
        list(bootstrap(api, Request(namespace, values=given)))

    def post(self, namespace: str, kind: str, body: dict[str, Any]) -> Any:
        """Create an object of the core API."""
        return self.kube.request("POST", f"/api/v1/namespaces/{namespace}/{kind}", body)

    def install(self, ca: Path) -> None:
        """Do what the cluster's administrator has done before."""
        for name in (_APPLICATIONS, _REGISTRIES, _CONFIG):
            self.kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        self._add_release()
        runtime = openshift.runtime("vllm-cuda-runtime")
        template = openshift.template("vllm-cuda-runtime-template", runtime)
        path = f"/apis/template.openshift.io/v1/namespaces/{_APPLICATIONS}/templates"
        self.kube.request("POST", path, template)
        serves = {"storageInitializer": '{"enableModelcar": true}'}
        self.post(_APPLICATIONS, "configmaps", _named("inferenceservice-config", serves))
        bundle = {"ca-bundle.crt": ca.read_text()}
        self.post(_CONFIG, "configmaps", _named("default-ingress-cert", bundle))
        registry = _route("modelregistry-https", "modelregistry-rest.apps.example.com")
        self.kube.request("POST", f"{_ROUTE}/namespaces/{_REGISTRIES}/routes", registry)
        for name, (kind, gpus) in _NODES.items():
            self.add_node(name, kind, gpus)

    def _add_release(self) -> None:
        group = "datasciencecluster.opendatahub.io/v1"
        head = {"apiVersion": group, "kind": "DataScienceCluster", "metadata": {"name": "default"}}
        release = {"name": "OpenShift AI Self-Managed", "version": RELEASE}
        body = {**head, "status": {"release": release}}
        self.kube.request("POST", f"/apis/{group}/datascienceclusters", body)

    def add_node(self, name: str, kind: str, gpus: str) -> None:
        """Have a GPU node of an AWS instance type be there."""
        labels = {"node.kubernetes.io/instance-type": kind, "nvidia.com/gpu.product": "NVIDIA-L4"}
        self.kube.request("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
        # It comes with a taint that a controller would take away once its kubelet is ready.
        path = f"/api/v1/nodes/{name}"
        self.kube.request("PATCH", path, {"spec": {"taints": None}}, MERGE)
        amounts = {GPU: gpus, "cpu": "48", "memory": "192Gi", "ephemeral-storage": "500Gi"}
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        status = {"status": {"capacity": amounts, "allocatable": amounts, **ready}}
        self.kube.request("PATCH", f"{path}/status", status, MERGE)


def _route(name: str, host: str) -> dict[str, Any]:
    head = {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": {"name": name}}
    return {**head, "spec": {"host": host}}


def _named(name: str, data: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "data": data}


class Serving(KServe):
    """KServe's controller, which gives each service an address of its own; one vLLM answers."""

    def __init__(self, kube: KubeServer, namespace: str, vllm: VllmServer) -> None:
        super().__init__(kube, namespace, vllm.url)
        self._vllm = vllm

    def _reconcile(self, service: dict[str, Any]) -> None:
        name = service["metadata"]["name"]
        if name not in self._vllm.models:
            self._vllm.models.append(name)
        self._url = f"https://{name}-{self._namespace}.apps.example.com"
        super()._reconcile(service)


@contextmanager
def installed(
    kube: KubeServer, pipelines: PipelinesServer, vllm: VllmServer, ca: Path
) -> Iterator[OpenShiftAI]:
    """Have OpenShift AI run on the API server, which is as empty as before at the end."""
    found = OpenShiftAI(kube, pipelines, vllm)
    with ExitStack() as stack:
        stack.callback(empty, kube)
        found.install(ca)
        stack.enter_context(Controller(kube, "persistent_volume_claim", bind))
        stack.enter_context(Controller(kube, "secret", write_token))
        stack.enter_context(Serving(kube, NAMESPACE, vllm))
        yield found
