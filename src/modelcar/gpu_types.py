"""GPUs by the AWS instance type that OpenShift nodes are labelled with."""

from dataclasses import dataclass
from typing import Final

INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Gpu:
    """A kind of GPU: the bytes of one that vLLM sees, and CUDA's capability, 0 for unknown."""

    name: str
    memory: int
    capability: float


@dataclass(frozen=True, slots=True)
class GpuNode:
    """A kind of node, and how many GPUs it has."""

    name: str
    gpu: Gpu
    count: int
    disk: int = 0
    """Bytes that pods may take of its disk; 0 where that is not known."""


T4: Final = Gpu("T4", int(14.6 * GIB), 7.5)
L4: Final = Gpu("L4", 22 * GIB, 8.9)
A10G: Final = Gpu("A10G", 22 * GIB, 8.6)
L40S: Final = Gpu("L40S", int(44.5 * GIB), 8.9)
A100: Final = Gpu("A100 40GB", int(39.4 * GIB), 8.0)
A100_80: Final = Gpu("A100 80GB", 79 * GIB, 8.0)
H100: Final = Gpu("H100", 79 * GIB, 9.0)
H200: Final = Gpu("H200", int(139.8 * GIB), 9.0)

_ONE: Final = ("xlarge", "2xlarge", "4xlarge", "8xlarge", "16xlarge")
_FOUR: Final = ("12xlarge", "24xlarge")
_SIZES: Final = ((1, _ONE), (4, _FOUR), (8, ("48xlarge",)))
_FAMILIES: Final = (("g6", L4), ("g5", A10G), ("g6e", L40S))
_NODES: Final = (
    *(GpuNode(f"g4dn.{size}", T4, 1) for size in _ONE),
    GpuNode("g4dn.12xlarge", T4, 4),
    *(
        GpuNode(f"{family}.{size}", gpu, count)
        for count, sizes in _SIZES
        for family, gpu in _FAMILIES
        for size in sizes
    ),
    GpuNode("p4d.24xlarge", A100, 8),
    GpuNode("p4de.24xlarge", A100_80, 8),
    GpuNode("p5.48xlarge", H100, 8),
    GpuNode("p5e.48xlarge", H200, 8),
    GpuNode("p5en.48xlarge", H200, 8),
)
INSTANCES: Final = {node.name: node for node in _NODES}
"""Those with GPUs, the smaller and cheaper kinds first."""
