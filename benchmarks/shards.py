"""Models made for measuring: safetensors shards of any size, of random bytes or of zeros."""

import json
import random
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

BLOCK = 1 << 20


def write(folder: Path, count: int, size: int) -> None:
    """Write a model of `count` shards of about `size` random bytes, with an index."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names(count)):
        write_shard(folder / name, _tensor(number), size, seed=number + 1)
    _write_texts(folder, count)


def write_sparse(folder: Path, count: int, size: int) -> None:
    """Write the same of zeros, which most file systems keep without any room."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names(count)):
        with (folder / name).open("wb") as stream:
            stream.write(header(_tensor(number), size))
            stream.truncate(stream.tell() + size)
    _write_texts(folder, count)


def write_shard(path: Path, tensor: str, size: int, seed: int) -> None:
    """Write one safetensors file that holds one bf16 tensor of `size` bytes."""
    source = random.Random(seed)  # noqa: S311  the same bytes on each run
    with path.open("wb") as stream:
        stream.write(header(tensor, size))
        for _ in range(size // BLOCK):
            stream.write(source.randbytes(BLOCK))
        stream.write(source.randbytes(size % BLOCK))


def names(count: int) -> list[str]:
    """Return the shards' names, as transformers numbers them."""
    return [f"model-{number:05d}-of-{count:05d}.safetensors" for number in range(1, count + 1)]


def header(tensor: str, size: int) -> bytes:
    """Return the head of a safetensors file of one bf16 tensor."""
    described = {tensor: {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}}
    text = json.dumps(described).encode()
    return struct.pack("<Q", len(text)) + text


def texts(count: int, tensors: int = 1) -> dict[str, str]:
    """Return the files beside the shards; the index names `tensors` tensors in each of them."""
    return {
        "model.safetensors.index.json": json.dumps(_index(names(count), tensors)),
        "config.json": json.dumps({"architectures": ["LlamaForCausalLM"]}),
        "tokenizer.json": "{}",
        "README.md": "---\nlicense: apache-2.0\n---\n# Measured\n",
    }


def _index(shards: Sequence[str], tensors: int) -> Mapping[str, object]:
    numbered = [
        (number * tensors + at, name) for number, name in enumerate(shards) for at in range(tensors)
    ]
    return {"metadata": {}, "weight_map": {_tensor(number): name for number, name in numbered}}


def _tensor(number: int) -> str:
    return f"layer.{number}.weight"


def _write_texts(folder: Path, count: int) -> None:
    for name, text in texts(count).items():
        (folder / name).write_text(text, encoding="utf-8")
