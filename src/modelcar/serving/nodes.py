"""The kinds of GPU nodes that a node selector matches, as their labels and allocatable tell.

The labels are those of NVIDIA's GPU feature discovery.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from modelcar import cluster, quantity
from modelcar.gpu_types import GIB, INSTANCE_TYPE, INSTANCES, Gpu, GpuNode
from modelcar.serving.manifest import GPU

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_DRIVER: Final = GIB // 2
"""What the label counts and vLLM does not see."""


def gpu_nodes(api: "ApiClient", selector: Mapping[str, str]) -> tuple[GpuNode, ...]:
    """Return the kinds of nodes with GPUs that match; none where nodes may not be read.

    Raises DeployError for what else the API server refuses.
    """
    from kubernetes.client import CoreV1Api
    from kubernetes.client.rest import ApiException

    labels = ",".join(f"{key}={value}" for key, value in selector.items())
    with cluster.asking("listing the nodes"):
        try:
            listed = CoreV1Api(api).list_node(
                label_selector=labels, _preload_content=False, _request_timeout=60
            )
        except ApiException as error:
            if error.status == 403:
                return ()
            raise
        found = json.loads(listed.data)["items"]
    return kinds(found)


def kinds(nodes: Sequence[Mapping[str, Any]]) -> tuple[GpuNode, ...]:
    """Return each kind among nodes as the API server lists them."""
    found = (_kind(node) for node in nodes)
    return tuple(dict.fromkeys(kind for kind in found if kind is not None))


def _kind(node: Mapping[str, Any]) -> GpuNode | None:
    metadata = node.get("metadata", {})
    labels = metadata.get("labels") or {}
    allocatable = node.get("status", {}).get("allocatable") or {}
    count = int(quantity.parse(str(allocatable.get(GPU, "0"))) or 0)
    gpu = _gpu(labels)
    if not count or gpu is None or node.get("spec", {}).get("unschedulable"):
        return None
    name = labels.get(INSTANCE_TYPE) or str(metadata.get("name", ""))
    disk = int(quantity.parse(str(allocatable.get("ephemeral-storage", "0"))) or 0)
    return GpuNode(name, gpu, count, disk)


def _gpu(labels: Mapping[str, str]) -> Gpu | None:
    """Return the kind that the labels tell, else the instance type's; None for a shared one."""
    replicas = labels.get("nvidia.com/gpu.replicas", "1")
    if replicas != "1" or labels.get("nvidia.com/gpu.product", "").endswith("-SHARED"):
        return None
    memory = labels.get("nvidia.com/gpu.memory", "")
    known = INSTANCES.get(labels.get(INSTANCE_TYPE, ""))
    if not memory.isdecimal():
        return known.gpu if known else None
    product = labels.get("nvidia.com/gpu.product", "GPU")
    parts = [labels.get(f"nvidia.com/gpu.compute.{part}", "") for part in ("major", "minor")]
    told = ".".join(parts)
    capability = known.gpu.capability if known else 0.0
    if re.fullmatch(r"\d+\.\d+", told):
        capability = float(told)
    return Gpu(product, int(memory) * (1 << 20) - _DRIVER, capability)
