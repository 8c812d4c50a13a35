"""Nodes with GPUs of a real API server."""

import dataclasses
import secrets
from typing import Any

from tests.servers.kserve import MERGE
from tests.servers.kube import KubeServer

GPU = "nvidia.com/gpu"


@dataclasses.dataclass(kw_only=True)
class _Named:
    label: str = dataclasses.field(default_factory=lambda: f"pool-{secrets.token_hex(4)}")


@dataclasses.dataclass
class GpuPool(_Named):
    """Some nodes that only a selector of their own matches."""

    kube: KubeServer

    @property
    def selector(self) -> dict[str, str]:
        return {"pool": self.label}

    def node(self, name: str, gpus: str = "1", **spec: Any) -> str:
        """Create a node with its spec, and return its name."""
        named = f"{self.label}-{name}"
        metadata = {"name": named, "labels": self.selector}
        path = "/api/v1/nodes"
        self.kube.request("POST", path, {"metadata": metadata})
        # It comes with a taint that a controller would take away once its kubelet is ready.
        self.kube.request("PATCH", f"{path}/{named}", {"spec": {"taints": None, **spec}}, MERGE)
        amounts = {GPU: gpus, "cpu": "64", "memory": "512Gi"}
        status = {"capacity": amounts, "allocatable": amounts}
        self.kube.request("PATCH", f"{path}/{named}/status", {"status": status}, MERGE)
        return named
