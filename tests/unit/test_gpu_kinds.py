"""The kinds of GPU nodes, from nodes as the API server lists them."""

from typing import Any

from modelcar.gpu_types import GIB, L4, Gpu, GpuNode
from modelcar.serving.gpu_kinds import kinds

INSTANCE = "node.kubernetes.io/instance-type"
DISCOVERED = {
    INSTANCE: "g6.12xlarge",
    "nvidia.com/gpu.memory": "23034",
    "nvidia.com/gpu.product": "NVIDIA-L4",
    "nvidia.com/gpu.compute.major": "8",
    "nvidia.com/gpu.compute.minor": "9",
}


def node(labels: dict[str, str], gpus: str = "4", **more: Any) -> dict[str, Any]:
    allocatable = {"nvidia.com/gpu": gpus, "ephemeral-storage": "100Gi"}
    metadata = {"name": "worker-1", "labels": labels}
    return {"metadata": metadata, "status": {"allocatable": allocatable}, "spec": more}


def test_labels_of_the_feature_discovery_count() -> None:
    (kind,) = kinds([node(DISCOVERED), node(DISCOVERED)])

    assert (kind.name, kind.count, kind.disk) == ("g6.12xlarge", 4, 100 * GIB)
    assert (kind.gpu.name, kind.gpu.capability) == ("NVIDIA-L4", 8.9)
    assert abs(kind.gpu.memory - L4.memory) < GIB // 20


def test_without_them_the_instance_type_does() -> None:
    assert kinds([node({INSTANCE: "g6.12xlarge"}, gpus="2")]) == (
        GpuNode("g6.12xlarge", L4, 2, 100 * GIB),
    )


def test_a_gpu_of_unknown_capability_is_not_judged_by_it() -> None:
    (kind,) = kinds([node({"nvidia.com/gpu.memory": "40960"})])
    assert kind == GpuNode("worker-1", Gpu("GPU", 40 * GIB - GIB // 2, 0.0), 4, 100 * GIB)


def test_nodes_without_gpus_of_a_known_kind_are_none() -> None:
    listed = [
        node(DISCOVERED, gpus="0"),
        node({**DISCOVERED, "nvidia.com/gpu.replicas": "4"}),
        node({**DISCOVERED, "nvidia.com/gpu.product": "NVIDIA-L4-SHARED"}),
        node({INSTANCE: "m5.large"}),
        node(DISCOVERED, unschedulable=True),
        {"metadata": {"name": "bare"}},
    ]
    assert kinds(listed) == ()
