"""What a file's name says: its runtime, and which weight set it is part of."""

import re
from dataclasses import dataclass
from posixpath import basename, splitext
from typing import Self

_RUNTIMES = {
    "ONNX Runtime": "onnx onnx_data",
    "OpenVINO": "openvino",
    "llama.cpp": "gguf ggml",
    "TensorFlow": "h5 keras pb",
    "TensorFlow Lite": "tflite",
    "Flax": "msgpack",
    "Rust": "ot",
    "Core ML": "coreml mlmodel",
    "Metal": "metal",
    "NumPy": "npz npy",
    "NeMo": "nemo",
}
_FOREIGN = {f".{end}": f"for {run}" for run, ends in _RUNTIMES.items() for end in ends.split()}
_FOLDERS = {
    "original": "the original checkpoint, a second copy of the weights",
    "runs": "training logs",
    "logs": "training logs",
}
_SAFE = ".safetensors"
_FORMATS = (_SAFE, ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
"""What vLLM can load, the best first; all but the first are pickles."""
_VARIANT = "bf16|fp16|fp32|fp8|fp4|nvfp4|int8|int4|8bit|4bit|q8|q4|non_ema|ema_only|ema"
_VARIANTS = ("", *_VARIANT.split("|"))
_STEMS = ("model", "pytorch_model", "diffusion_pytorch_model")
_NAME = re.compile(
    rf"(.+?)(?:\.({_VARIANT}))?(?:-(\d+)-of-(\d+))?(?:\.({_VARIANT}))?"
    r"(\.safetensors|\.bin|\.pth?|\.ckpt|\.pkl|\.pickle)(\.index(?:\.([\w-]+))?\.json)?"
)
_INDEX = re.compile(r"\.index(\.[\w-]+)?\.json$")
_VARIANT_FOLDER = re.compile(rf"(.*/)?({_VARIANT})(/.*)?")
_TRAINING = re.compile("training_args|optimizer|scheduler|scaler|rng_state|random_states")
_KEPT = re.compile(
    r".*\.(json|txt|model|jinja|tiktoken|spm|bpe|vocab|ya?ml|md|py)"
    r"|(?!.*\.(png|jpe?g|gif|svg|webp)$)(readme|licen[cs]e|notice|copying|use_policy).*"
)


@dataclass(frozen=True, slots=True)
class Part:
    """A weight file or an index; `stem` and `variant` in lower case, `total` 0 when not sharded."""

    path: str
    suffix: str
    stem: str
    variant: str
    number: int
    total: int
    index: bool

    @classmethod
    def parse(cls, path: str) -> Self | None:
        """Read the name of a file in a format that vLLM can load; None for any other."""
        match = _NAME.fullmatch(basename(path).lower())
        if match is None:
            return None
        stem, before, number, total, after, suffix, index, last = match.groups()
        variant = before or after or last or ""
        return cls(path, suffix, stem, variant, int(number or 0), int(total or 0), bool(index))

    @property
    def pickle(self) -> bool:
        """Whether loading it runs code."""
        return self.suffix != _SAFE

    @property
    def consolidated(self) -> bool:
        """Whether it is in the layout of Mistral's and Meta's own tools."""
        return self.stem.startswith("consolidated")

    @property
    def set_key(self) -> tuple[str | int | bool, ...]:
        """What the files of one weight set share."""
        alone = "" if self.total or self.index else self.path
        return self.suffix, self.stem, self.variant, self.total, self.index, alone

    @property
    def rank(self) -> tuple[int | bool, ...]:
        """How good its weight set is, less being better, as far as its name tells."""
        return (
            _FORMATS.index(self.suffix),
            self.consolidated,
            _position(self.variant, _VARIANTS),
            _position(self.stem, _STEMS),
            not self.index,
        )

    def reason_beside(self, best: "Part") -> str:
        """Say why it is left out of a folder whose weight set is the one of `best`."""
        if self.pickle and not best.pickle:
            same = self.consolidated or self.stem in (*_STEMS, best.stem)
            return f"pickle; the {'same ' if same else ''}weights are there as safetensors"
        if self.consolidated and not best.consolidated:
            return "a second copy of the weights"
        if self.variant and self.variant != best.variant:
            return f"a variant; the {best.variant or 'plain'} file is used"
        if self.index:
            return "the index of weights that are left out"
        return "no index names it (stale shard)" if best.index else f"{best.path} is the weight set"


def _position(word: str, words: tuple[str, ...]) -> int:
    return words.index(word) if word in words else len(words)


def is_weight(path: str) -> bool:
    """Tell whether `path` is named as weights of any runtime; an index is not."""
    suffix = splitext(path)[1].lower()
    return suffix in _FORMATS or suffix in _FOREIGN


def is_pickle(path: str) -> bool:
    """Tell whether `path` is named as weights that run code when they are loaded."""
    return splitext(path)[1].lower() in _FORMATS[1:]


def is_variant_folder(folder: str) -> bool:
    """Tell whether a part of `folder` names a variant, such as `fp16/`."""
    return _VARIANT_FOLDER.fullmatch(folder.lower()) is not None


def foreign(path: str) -> str | None:
    """Return why vLLM needs no file of this name whatever lies beside it, None when it may."""
    *folders, name = path.lower().split("/")
    if any(part.startswith(".") for part in (*folders, name)):
        return "a hidden file"
    for folder in folders:
        if why := _FOLDERS.get(folder) or _FOREIGN.get(f".{folder}"):
            return why
        if folder.startswith("checkpoint-"):
            return "a training checkpoint"
    file = _INDEX.sub("", name)
    if is_weight(file) and _TRAINING.match(file):
        return "training state"
    known = _NAME.fullmatch(name) or _KEPT.fullmatch(name)
    return _FOREIGN.get(splitext(file)[1]) or (None if known else "not needed by vLLM")
