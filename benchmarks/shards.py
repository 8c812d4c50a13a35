"""Models made for measuring: safetensors shards of any size, on disk or only listed."""

import json
import random
import struct
from pathlib import Path

BLOCK = 1 << 20


def write(folder: Path, shards: int, shard_bytes: int, seed: int = 1) -> None:
    """Write a model of `shards` files of about `shard_bytes` random bytes, with an index."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"model-{n:05d}-of-{shards:05d}.safetensors" for n in range(1, shards + 1)]
    for number, name in enumerate(names):
        write_shard(folder / name, f"layer.{number}.weight", shard_bytes, seed + number)
    weight_map = {f"layer.{number}.weight": name for number, name in enumerate(names)}
    texts = {
        "model.safetensors.index.json": json.dumps({"metadata": {}, "weight_map": weight_map}),
        "config.json": json.dumps({"architectures": ["LlamaForCausalLM"]}),
        "tokenizer.json": "{}",
        "README.md": "---\nlicense: apache-2.0\n---\n# Measured\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def write_shard(path: Path, tensor: str, size: int, seed: int) -> None:
    """Write one safetensors file that holds one bf16 tensor of `size` bytes."""
    header = {tensor: {"dtype": "BF16", "shape": [size // 2], "data_offsets": [0, size]}}
    text = json.dumps(header).encode()
    source = random.Random(seed)  # noqa: S311  the same bytes on each run
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for _ in range(size // BLOCK):
            stream.write(source.randbytes(BLOCK))
        stream.write(source.randbytes(size % BLOCK))
