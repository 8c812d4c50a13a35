"""A namespace that is ready for a model, with all the servers around it, for preflight."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.byte_path import REPO, modelcar, tiny
from tests.gpu_pool import GpuPool
from tests.servers import openshift
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.kserve import MERGE
from tests.servers.kube import KubeServer
from tests.servers.model_registry import ModelRegistryServer

CONFIG = (
    b'{"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "num_attention_heads": 2,'
    b' "num_key_value_heads": 2, "num_hidden_layers": 2, "max_position_embeddings": 256,'
    b' "torch_dtype": "bfloat16"}'
)


@dataclass
class Place:
    """A namespace that is ready, with all the servers around it."""

    kube: KubeServer
    namespace: str
    folder: Path
    hub: HubServer
    oci_registry: DockerRegistry
    model_registry: ModelRegistryServer
    image: str
    """One that stands."""
    serving: dict[str, Any] = field(default_factory=dict)
    site: dict[str, Any] = field(default_factory=dict)
    done: subprocess.CompletedProcess[str] = field(init=False)

    def check(self, *options: str, user: str = "admin", **variables: str) -> dict[str, Any]:
        """Run preflight, and return its findings by check; of several the worst."""
        self.done = self.run("preflight", "--json", *options, user=user, **variables)
        assert "Traceback" not in self.done.stderr, self.done.stderr
        order = ("ok", "unknown", "warning", "failed")
        found: dict[str, Any] = {}
        for one in sorted(json.loads(self.done.stdout), key=lambda one: order.index(one["state"])):
            found[one["check"]] = one
        return found

    def run(
        self, verb: str, *options: str, user: str = "admin", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Write model and site as they are now, and run a verb on them."""
        entry = {"name": "tiny", "source": f"hf://{REPO}", "version": "1", "serving": self.serving}
        (self.folder / "tiny.yaml").write_text(json.dumps(entry))
        site = {
            "oci_registry": f"{self.oci_registry.host}/models",
            "mirror": f"{self.oci_registry.host}/mirror",
            "model_registry": self.model_registry.url,
            "namespace": self.namespace,
            "images": dict.fromkeys(("base", "python", "skopeo"), self.image),
            **self.site,
        }
        (self.folder / "site.yaml").write_text(json.dumps(site))
        given = {"KUBECONFIG": str(self.kube.kubeconfig(user, self.namespace))}
        given |= {"HF_ENDPOINT": self.hub.url, **variables}
        return modelcar(self.folder, verb, "tiny.yaml", *options, **given)

    def path(self, rest: str) -> str:
        return f"/api/v1/namespaces/{self.namespace}/{rest}"

    def claim(self, size: str, phase: str = "Bound") -> None:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        body = {"metadata": {"name": "modelcar"}, "spec": spec}
        self.kube.request("POST", self.path("persistentvolumeclaims"), body)
        status = {"phase": phase, "capacity": {"storage": size}}
        path = self.path("persistentvolumeclaims/modelcar/status")
        self.kube.request("PATCH", path, {"status": status}, MERGE)


@contextmanager
def ready(
    kube: KubeServer, oci_registry: DockerRegistry, image: str, folder: Path
) -> Iterator[Place]:
    """Make a fresh namespace with a runtime, a GPU node, a Hub and a Model Registry."""
    namespace = f"pre-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    with HubServer({REPO: tiny(config=CONFIG)}) as hub, ModelRegistryServer() as model_registry:
        found = Place(kube, namespace, folder, hub, oci_registry, model_registry, image)
        runtimes = f"/apis/serving.kserve.io/v1alpha1/namespaces/{namespace}/servingruntimes"
        kube.request("POST", runtimes, openshift.runtime("vllm-cuda-runtime"))
        pool = GpuPool(kube)
        pool.node("a")
        found.serving = {"node_selector": pool.selector}
        yield found
