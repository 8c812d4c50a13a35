"""Whether a model fits on the GPUs that are asked for, and the setting that would. Pure.

A GPU holds its share of the weights, what vLLM needs besides, and the KV cache of one request as
long as the context: vLLM refuses to start with less. What it needs besides is an estimate, within
which a fit is called tight.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

from modelcar import vllm_arguments
from modelcar.gpu_types import GIB, INSTANCE_TYPE, INSTANCES, GpuNode
from modelcar.model_shape import Shape
from modelcar.values import Serving
from modelcar.wording import size

Verdict = Literal["fits", "tight", "unknown", "does not fit"]

_UTILIZATION: Final = 0.9
"""The part of a GPU's memory that vLLM takes by default."""
_BESIDES: Final = (int(1.5 * GIB), 2 * GIB)
"""What it needs for activations and CUDA graphs: on one GPU, and on each of several."""
_BLOCK: Final = 16
_SHORTEST: Final = 2048
"""Tokens below which a shorter context is no advice."""
_COUNTS: Final = (1, 2, 4, 8)
"""How many GPUs are advised: others divide few models."""
_BYTES: Final = {"float32": 4, "float": 4, "float16": 2, "half": 2, "bfloat16": 2}
_BEYOND: Final = (
    ("--pipeline-parallel-size", "-pp"),
    ("--quantization", "-q"),
    ("--cpu-offload-gb",),
    ("--hf-overrides", "--rope-scaling"),
)
"""Arguments whose effect is not computed."""
_BF16: Final = 8.0
_ORDER: Final = get_args(Verdict)


@dataclass(frozen=True, slots=True)
class Need:
    """What a model brings: the bytes of its weights and of its whole image, and its shape."""

    weights: int
    image: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class Fit:
    """How a model fits; sizes in bytes, 0 for what is not known."""

    verdict: Verdict
    where: str
    """Such as `4 x L4 (g6.12xlarge)`; empty where no GPU type is known."""
    why: str = ""
    """One line; empty when it fits."""
    setting: str = ""
    """The setting that would do; empty when it fits, or none is known."""
    parallel: int = 1
    weights: int = 0
    """On each GPU."""
    kv: int = 0
    """On each GPU, for a token."""
    longest: int = 0
    """The longest context in tokens."""
    least_parallel: int = 0
    """The fewest GPUs of this node that hold the context; 0 when none do."""
    disk: int = 0
    """What the node's disk holds: the image as it is pulled, and unpacked."""


def fit(need: Need, serving: Serving, node: GpuNode | None) -> Fit:
    """Return how the model fits on GPUs of `node`, None for a kind that is not known."""
    asked = _Asked(need, serving, node)
    known = _known(asked)
    if asked.unknown:
        return replace(known, verdict="unknown", why=asked.unknown)
    fault, setting = next(_faults(asked), ("", ""))
    if fault:
        return replace(known, verdict="does not fit", why=fault, setting=setting or asked.other())
    if need.shape.unknown:
        why = f"the KV cache of {need.shape.unknown} is not known"
        return replace(known, verdict="unknown", why=why)
    if not asked.context:
        return replace(known, verdict="unknown", why="its config.json says no longest context")
    return _by_context(asked, known)


def best(need: Need, serving: Serving, nodes: Sequence[GpuNode]) -> Fit:
    """Return the best of how it fits on these kinds of nodes, else on what the selector names.

    It is tight where the pod may land on nodes on which it does not fit.
    """
    candidates: Sequence[GpuNode | None] = nodes or [node_of(serving)]
    found = [fit(need, serving, node) for node in candidates]
    first = min(found, key=lambda one: _ORDER.index(one.verdict))
    # The scheduler takes any node that has so many GPUs.
    pairs = zip(candidates, found, strict=True)
    open_to = [one for node, one in pairs if node and node.count >= serving.gpus]
    bad = next((one for one in open_to if one.verdict == "does not fit"), None)
    if first.verdict != "fits" or bad is None:
        return first
    why = f"the pod may also land on {bad.where}, where it does not fit"
    setting = f"name the nodes by serving.node_selector, {INSTANCE_TYPE}"
    return replace(first, verdict="tight", why=why, setting=setting)


def node_of(serving: Serving) -> GpuNode | None:
    """Return the kind of node that the node selector names by its AWS instance type."""
    return INSTANCES.get(serving.node_selector.get(INSTANCE_TYPE, ""))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question, and what follows from it."""

    need: Need
    serving: Serving
    node: GpuNode | None

    @property
    def parallel(self) -> int:
        return self.serving.tensor_parallel_size or max(self.serving.gpus, 1)

    @property
    def context(self) -> int:
        """Return the tokens that a request may have; 0 where nothing says it."""
        return self.serving.max_model_len or self.need.shape.positions

    @property
    def unknown(self) -> str:
        """Return why nothing can be said, nothing where something can."""
        if not self.serving.gpus:
            return "no GPU is asked for"
        for names in _BEYOND:
            if any(self.option(name) not in ("", "1") for name in names):
                return f"the effect of {names[0]} is not computed"
        if self.node is None:
            kind = self.serving.node_selector.get(INSTANCE_TYPE)
            if kind:
                return f"the GPUs of {kind} are not known"
            return f"no GPU type is asked for, by serving.node_selector, {INSTANCE_TYPE}"
        return ""

    def option(self, name: str) -> str:
        return vllm_arguments.value(self.serving.args, name)

    def budget(self) -> int:
        """Return the bytes of a GPU that vLLM takes."""
        assert self.node  # noqa: S101  asked only where it is known
        try:
            part = float(self.option("--gpu-memory-utilization"))
        except ValueError:
            part = _UTILIZATION
        return int(self.node.gpu.memory * (part if 0 < part <= 1 else _UTILIZATION))

    def dtype(self) -> str:
        """Return what vLLM computes in: of itself it takes 16 bits where the model has 32."""
        given, own = self.option("--dtype"), self.need.shape.dtype
        if given not in ("", "auto"):
            return given
        return "float16" if own == "float32" else own

    def kv(self) -> int:
        """Return the bytes that a token keeps on each GPU, 0 where the shape is not known."""
        if self.need.shape.unknown:
            return 0
        fp8 = self.option("--kv-cache-dtype").startswith("fp8")
        return self.need.shape.kv_bytes(self.parallel, 1 if fp8 else _BYTES.get(self.dtype(), 2))

    def share(self) -> int:
        """Return the bytes of weights on each GPU, in the dtype that they are loaded as."""
        own, loaded = (_BYTES.get(name, 0) for name in (self.need.shape.dtype, self.dtype()))
        whole = self.need.weights
        if own and loaded and not self.need.shape.quantized:
            whole = whole * loaded // own
        return whole // self.parallel

    def room(self) -> int:
        """Return the bytes that are left for the KV cache, below 0 where there are none."""
        return self.budget() - self.share() - _BESIDES[self.parallel > 1]

    def longest(self) -> int:
        kv = self.kv()
        if self.node is None or not kv:
            return 0
        tokens = max(0, self.room()) // kv // _BLOCK * _BLOCK
        return min(tokens, self.need.shape.positions or tokens)

    def on(self, node: GpuNode, gpus: int) -> "_Asked":
        serving = replace(self.serving, gpus=gpus, tensor_parallel_size=gpus)
        return replace(self, serving=serving, node=node)

    def holds(self) -> bool:
        """Return whether it fits well, by what is known."""
        sound = not self.unknown and next(_faults(self), None) is None
        return sound and (self.room() >= self.context * self.kv())

    def least(self, node: GpuNode) -> int:
        """Return the fewest GPUs of `node` that it fits on, 0 where it does not."""
        counts = (count for count in _COUNTS if count <= node.count)
        return next((count for count in counts if self.on(node, count).holds()), 0)

    def other(self) -> str:
        """Return the GPUs that would hold it: more of these, else the first kind that does."""
        assert self.node  # noqa: S101  asked only where it is known
        both = "serving.gpus and serving.tensor_parallel_size to"
        if count := self.least(self.node):
            return f"set {both} {count}"
        for node in INSTANCES.values():
            if count := self.least(node):
                kind = f"{INSTANCE_TYPE}: {node.name} ({node.count} x {node.gpu.name})"
                return f"set serving.node_selector to {kind}, and {both} {count}"
        return ""

    def half(self) -> str:
        """Return the advice to compute in float16, where that would do."""
        serving = replace(self.serving, args=(*self.serving.args, "--dtype=half"))
        return "add --dtype=half to serving.args" if replace(self, serving=serving).holds() else ""


def _known(asked: _Asked) -> Fit:
    node = asked.node
    return Fit(
        verdict="fits",
        where=f"{asked.serving.gpus} x {node.gpu.name} ({node.name})" if node else "",
        parallel=asked.parallel,
        weights=asked.share(),
        kv=asked.kv(),
        longest=asked.longest(),
        least_parallel=asked.least(node) if node and not asked.unknown else 0,
        disk=2 * asked.need.image,
    )


def _faults(asked: _Asked) -> Iterator[tuple[str, str]]:
    """Yield what makes it impossible whatever the context is, with the setting that would do."""
    node, shape, parallel = asked.node, asked.need.shape, asked.parallel
    assert node  # noqa: S101  asked only where it is known
    if asked.serving.gpus > node.count:
        why = f"{asked.serving.gpus} GPUs are asked for, and {node.name} has {node.count}"
        yield why, ""
    for heads, kind in ((shape.heads, "attention"), (shape.kv_heads, "key-value")):
        if heads % parallel and (kind == "attention" or parallel % heads):
            yield f"{heads} {kind} heads cannot be spread over {parallel} GPUs", ""
    if 0 < shape.positions < asked.context:
        why = f"{asked.context} tokens are more than the {shape.positions} it was made for"
        yield why, f"set serving.max_model_len to {shape.positions}"
    if asked.dtype() == "bfloat16" and 0 < node.gpu.capability < _BF16:
        why = f"bfloat16 needs compute capability {_BF16}, {node.gpu.name} has"
        yield f"{why} {node.gpu.capability}", asked.half()
    if 0 < node.disk < (disk := 2 * asked.need.image):
        why = f"its image takes {size(disk)} of a node's disk while it is unpacked"
        yield f"{why}, {node.name} has {size(node.disk)}", "give these nodes a larger root disk"
    if asked.share() > asked.budget():
        yield f"{gib(asked.share())} of weights on each GPU, of {gib(asked.budget())}", ""


def _by_context(asked: _Asked, known: Fit) -> Fit:
    """Compare the KV cache of one request with what is left for it."""
    wanted, room = asked.context * known.kv, asked.room()
    if wanted <= room:
        return known
    besides = _BESIDES[asked.parallel > 1]
    tight = wanted <= room + besides
    why = f"{asked.context} tokens need {gib(wanted)} of KV cache, and {gib(max(0, room))} is left"
    shorter = known.longest // 1024 * 1024
    setting = f"set serving.max_model_len to {shorter}" if shorter >= _SHORTEST else asked.other()
    return replace(known, verdict="tight" if tight else "does not fit", why=why, setting=setting)


def told(fit: Fit) -> str:
    """Say a fit in one line: the verdict, why, the setting, and the figures behind it."""
    said = f"{fit.verdict} on {fit.where}" if fit.where else fit.verdict
    said = f"{said}: {fit.why}" if fit.why else said
    said = f"{said}; {fit.setting}" if fit.setting else said
    figures = [f"weights {gib(fit.weights)} a GPU"]
    figures += [f"KV cache {fit.kv / 1024:g} KiB a token"] if fit.kv else []
    figures += [f"up to {fit.longest} tokens"] if fit.longest else []
    figures += [f"{size(fit.disk)} of the node's disk"]
    return f"{said} ({', '.join(figures)})"


def gib(count: int) -> str:
    """Word a number of bytes in GiB, as GPUs are sold."""
    return f"{count / GIB:.1f} GiB"
