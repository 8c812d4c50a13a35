"""What a model's config.json says of the memory that it needs to answer. Pure.

Keys as transformers writes them; a model that takes pictures has those of its text under
`text_config`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from modelcar.wording import line

DECODERS: Final = ("ForCausalLM", "ForConditionalGeneration")
_STATE: Final = ("mamba", "ssm", "linear_attention", "recurrent", "conv")
_OTHER: Final = {
    "kv_lora_rank": "multi-head latent attention",
    "block_configs": "layers of several kinds",
    "attention_chunk_size": "attention in chunks",
    "num_kv_heads": "heads that are grouped in a way of their own",
    "multi_query": "heads that are grouped in a way of their own",
}
_MOST: Final = 1 << 31
"""No number of a config that is meant reaches it."""
_STRETCHED: Final = ("linear", "dynamic", "yarn")
"""Kinds of RoPE scaling by whose factor vLLM lengthens the context."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a decoder whose layers all attend to the whole context.

    With `unknown`, a reason, what a token keeps is not to be computed: other designs keep less, in
    ways of their own.
    """

    unknown: str = ""
    layers: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    positions: int = 0
    """The longest context in tokens that the model was made for; 0 where it says none."""
    dtype: str = ""
    """That of the weights which are not quantized, `bfloat16`."""
    quantized: bool = False

    def kv_bytes(self, parallel: int, element: int) -> int:
        """Return what one token keeps on each of `parallel` GPUs; `element` is a number's bytes."""
        return 2 * self.layers * max(1, self.kv_heads // parallel) * self.head_dim * element


def shape(config: Mapping[str, Any]) -> Shape:
    """Return the shape that a config.json tells, or why it is unknown."""
    text = config.get("text_config")
    inner = {**config, **text} if isinstance(text, dict) else config
    dtype = _text(inner, "dtype") or _text(inner, "torch_dtype")
    quantized = isinstance(inner.get("quantization_config"), dict)
    heads = _count(inner, "num_attention_heads")
    return Shape(
        _unlike(config, inner),
        _count(inner, "num_hidden_layers"),
        heads,
        _count(inner, "num_key_value_heads") or heads,
        _count(inner, "head_dim") or _count(inner, "hidden_size") // max(1, heads),
        _positions(inner),
        dtype,
        quantized,
    )


def _unlike(config: Mapping[str, Any], inner: Mapping[str, Any]) -> str:
    """Return what makes the model another design than `Shape` describes, nothing if it is one."""
    names = config.get("architectures")
    name = str(names[0]) if isinstance(names, list) and names else ""
    if not name.endswith(DECODERS):
        return f"architecture {line(name, 100)}" if name else "no architecture in config.json"
    other = next((said for key, said in _OTHER.items() if inner.get(key)), "")
    if other:
        return other
    kinds = inner.get("layer_types")
    if isinstance(kinds, list) and any(kind != "full_attention" for kind in kinds):
        return "layers of several kinds"
    if _count(inner, "sliding_window") and inner.get("use_sliding_window", True) is not False:
        return "a sliding window"
    if any(word in key for key in inner for word in _STATE):
        return "layers with a state"
    needed = ("num_hidden_layers", "num_attention_heads", "hidden_size")
    absent = [key for key in needed if not _count(inner, key)]
    return f"no {absent[0]} in config.json" if absent else ""


def _positions(config: Mapping[str, Any]) -> int:
    """Return the longest context, as vLLM derives it."""
    found, scaling = _count(config, "max_position_embeddings"), config.get("rope_scaling")
    if not isinstance(scaling, dict):
        return found
    kind, factor = scaling.get("rope_type", scaling.get("type")), scaling.get("factor")
    if kind not in _STRETCHED or not isinstance(factor, int | float) or not 1 <= factor < _MOST:
        return found
    return int((_count(scaling, "original_max_position_embeddings") or found) * factor)


def _count(config: Mapping[str, Any], key: str) -> int:
    value = config.get(key)
    return value if type(value) is int and 0 < value < _MOST else 0


def _text(config: Mapping[str, Any], key: str) -> str:
    value = config.get(key)
    return value if isinstance(value, str) else ""
