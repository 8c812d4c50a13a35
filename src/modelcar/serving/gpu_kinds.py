"""The kinds of GPU nodes, as their labels and allocatable tell. Pure.

The labels are those of NVIDIA's GPU feature discovery.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from modelcar import quantity
from modelcar.gpu_types import GIB, INSTANCE_TYPE, INSTANCES, Gpu, GpuNode
from modelcar.serving.manifest import GPU

_DRIVER: Final = GIB // 2
"""What the label counts and vLLM does not see."""


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
