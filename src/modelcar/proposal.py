"""How a model may be served: the first kind of node that holds it, and values for it. Pure.

Nodes are paid whole: those of fewer GPUs come first, then the cheaper kinds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from modelcar import gpu
from modelcar.errors import UsageError
from modelcar.gpu import Fit, Need, gib
from modelcar.gpu_types import GIB, INSTANCE_TYPE, INSTANCES, GpuNode
from modelcar.model_shape import DECODERS
from modelcar.values import ModelFacts, Serving

_WANTED: Final = 8192
"""Tokens of context that a node must hold, of a model that takes as many."""
_VCPUS: Final = {
    **{"xlarge": 4, "2xlarge": 8, "4xlarge": 16, "8xlarge": 32},
    **{"12xlarge": 48, "16xlarge": 64, "24xlarge": 96, "48xlarge": 192},
}
_GIB_A_VCPU: Final = {"g4dn": 4, "g5": 4, "g6": 4, "g6e": 8, "p4d": 12, "p4de": 12}
_LARGE: Final = 10
"""GiB a vCPU of the other families, whose nodes have eight large GPUs."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Values for `serving:`, how the model fits with them, and why, by the field's name.

    Unless it `holds`, no node that was tried does, and the fit is that on the last.
    """

    serving: Serving
    fit: Fit
    holds: bool
    why: dict[str, str]


def kinds(gpu_name: str = "", instance: str = "") -> tuple[GpuNode, ...]:
    """Return the known kinds of nodes, in the order to try; raise UsageError for a name of none.

    Only those with that GPU, or of that instance type, where one is named.
    """
    every = sorted(INSTANCES.values(), key=lambda node: node.count)
    found = [node for node in every if _is(node, gpu_name, instance)]
    if not found and gpu_name and instance in INSTANCES:
        asked = f"--gpu {gpu_name} --instance-type {instance}"
        why = f"{instance} has {INSTANCES[instance].gpu.name}, not {gpu_name}"
        raise UsageError(asked, why, "leave one of them out")
    if not found:
        asked = f"--instance-type {instance}" if instance else f"--gpu {gpu_name}"
        known = INSTANCES if instance else dict.fromkeys(node.gpu.name for node in every)
        raise UsageError(asked, "it is not known", f"name one of {', '.join(known)}")
    return tuple(found)


def propose(need: Need, facts: ModelFacts, nodes: Sequence[GpuNode], context: int = 0) -> Proposal:
    """Return values for a model on the first of `nodes` that holds it with so much context.

    Without a `context` it is what the node holds, and 8192 tokens or more of a model that takes
    them; no more than 8192 where nobody knows what a token keeps. Raises UsageError for a context
    beyond the model's.
    """
    longest = need.shape.positions
    if 0 < longest < context:
        remedy = f"name {longest} or fewer, or leave it out"
        why = f"the model was made for {longest} tokens"
        raise UsageError(f"--max-model-len {context}", why, remedy)
    wanted = context or min(_WANTED, longest or _WANTED)
    found = next(_holding(need, nodes, wanted), None)
    serving, node = found or (_sized(need, nodes[-1].count, wanted), nodes[-1])
    serving = replace(
        serving,
        max_model_len=context or _length(need, gpu.fit(need, serving, node), facts),
        node_selector={INSTANCE_TYPE: node.name} if found else {},
        args=("--runner=pooling",) if _embeds(facts) else (),
    )
    fit = gpu.fit(need, serving, node)
    reasons = dict(_reasons(need, serving, fit, node))
    return Proposal(serving, fit, found is not None, reasons)


def _is(node: GpuNode, gpu_name: str, instance: str) -> bool:
    same_gpu = gpu_name.casefold() in ("", node.gpu.name.casefold())
    return same_gpu and instance in ("", node.name)


def _holding(
    need: Need, nodes: Sequence[GpuNode], context: int
) -> Iterator[tuple[Serving, GpuNode]]:
    """Yield the fewest GPUs of each node that holds the model, and the pod beside them."""
    for node in nodes:
        fit = gpu.fit(need, Serving(max_model_len=context), node)
        serving = _sized(need, fit.least_parallel, context)
        if fit.least_parallel and _takes(node, serving):
            yield serving, node


def _sized(need: Need, gpus: int, context: int) -> Serving:
    return Serving(
        gpus=gpus,
        cpu=str(2 * gpus),
        memory=f"{_memory(need, gpus)}Gi",
        tensor_parallel_size=gpus if gpus > 1 else 0,
        max_model_len=context,
    )


def _memory(need: Need, gpus: int) -> int:
    """Return GiB in steps of eight: vLLM, a process a GPU, and the weights as they are read."""
    asked = 4 + 3 * gpus + need.weights / GIB
    return int(-(-asked // 8) * 8)


def _takes(node: GpuNode, serving: Serving) -> bool:
    """Return whether a node has the CPUs and memory, less what the system's own pods take."""
    family, _, size = node.name.partition(".")
    memory = _VCPUS[size] * _GIB_A_VCPU.get(family, _LARGE)
    fewer_cpus = int(serving.cpu) <= _VCPUS[size] - 1.5
    return fewer_cpus and int(serving.memory.removesuffix("Gi")) <= 0.85 * memory - 2


def _length(need: Need, fit: Fit, facts: ModelFacts) -> int:
    """Return the context to serve: the whole, else a power of two, which leaves some memory."""
    if need.shape.unknown and facts.architecture.endswith(DECODERS):
        return min(_WANTED, need.shape.positions)
    if not need.shape.positions or not fit.longest:
        return 0
    whole = fit.longest >= need.shape.positions
    return need.shape.positions if whole else 1 << (fit.longest.bit_length() - 1)


def _embeds(facts: ModelFacts) -> bool:
    tasks = {"sentence-similarity", "feature-extraction"}
    return facts.library == "sentence-transformers" or bool(tasks & {*facts.tasks})


def _reasons(need: Need, serving: Serving, fit: Fit, node: GpuNode) -> Iterator[tuple[str, str]]:
    """Yield why a field has its value, by the field's name."""
    if serving.node_selector:
        yield "gpus", f"{gib(fit.weights)} of weights on each, of {gib(node.gpu.memory)}"
        holds = "whose memory holds the weights" if need.shape.unknown else "that holds it"
        yield "node_selector", f"the smallest {holds}, of those on AWS: {fit.where}"
    else:
        pod = f"a pod with {serving.cpu} CPUs and {serving.memory} is too large for the node"
        yield "gpus", f"it fits on no node that was tried; on {fit.where}: {fit.why or pod}"
    yield "cpu", "two a GPU"
    weights = f"{gib(need.weights)} of weights as they are read"
    yield "memory", f"4 GiB for vLLM, 3 GiB a GPU and {weights}, in steps of 8"
    if told := _length_reason(need, fit):
        made = f"; it was made for {need.shape.positions}" if need.shape.positions else ""
        yield "max_model_len", f"{told}{made}"
    if serving.args:
        yield "args", "it makes embeddings: /v1/embeddings answers, not chat"


def _length_reason(need: Need, fit: Fit) -> str:
    if need.shape.unknown:
        told = f"the KV cache is not computed for it ({need.shape.unknown})"
        return f"{told}: only the weights are compared"
    if not fit.kv or not fit.longest:
        return ""
    return f"a token keeps {fit.kv / 1024:g} KiB on each GPU: up to {fit.longest} fit"
