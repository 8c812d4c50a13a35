"""The repositories that pages name: real names and files, with weights of some kilobytes.

Only `LISTED` is listed in its real size, for plans: its files cannot be had.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.byte_path import safetensors
from tests.servers.hub_repository import RepositorySource

QWEN: Final = "Qwen/Qwen2.5-0.5B-Instruct"
QWEN_LARGER: Final = "Qwen/Qwen2.5-1.5B-Instruct"
QWEN_LARGER_AWQ: Final = "Qwen/Qwen2.5-1.5B-Instruct-AWQ"
SMOLLM: Final = "HuggingFaceTB/SmolLM2-360M-Instruct"
LLAMA: Final = "meta-llama/Llama-3.2-1B-Instruct"
MINILM: Final = "sentence-transformers/all-MiniLM-L6-v2"
QUANTIZED: Final = "RedHatAI/Mistral-Small-24B-Instruct-2501-quantized.w4a16"
LISTED: Final = "mistralai/Mistral-Small-24B-Instruct-2501"
PRIVATE: Final = "acme/support-chat"
GATED: Final = (LLAMA,)

_LISTINGS: Final = Path(__file__).resolve().parents[1] / "unit" / "listings"
_QWEN: Final = {"hidden_size": 1536, "heads": 12, "kv_heads": 2, "layers": 28, "head_dim": 128}
_MISTRAL: Final = {"hidden_size": 5120, "heads": 32, "kv_heads": 8, "layers": 40, "head_dim": 128}


def repositories() -> dict[str, RepositorySource]:
    """Return every repository by its name."""
    return {
        QWEN: _small(QWEN, "Qwen2ForCausalLM", hidden_size=896, heads=14, kv_heads=2, layers=24),
        QWEN_LARGER: _small(QWEN_LARGER, "Qwen2ForCausalLM", **_QWEN),
        QWEN_LARGER_AWQ: _small(QWEN_LARGER_AWQ, "Qwen2ForCausalLM", fill=4, **_QWEN),
        SMOLLM: _small(
            *(SMOLLM, "LlamaForCausalLM"), hidden_size=960, heads=15, kv_heads=5, layers=32
        ),
        LLAMA: _small(
            *(LLAMA, "LlamaForCausalLM"), hidden_size=2048, heads=32, kv_heads=8, layers=16
        ),
        MINILM: _small(MINILM, "BertModel", hidden_size=384, heads=12, kv_heads=12, layers=6),
        QUANTIZED: _small(QUANTIZED, "MistralForCausalLM", **_MISTRAL),
        PRIVATE: _small(PRIVATE, "Qwen2ForCausalLM", hidden_size=896, heads=14, layers=24),
        LISTED: _listed("mistral_24b.json"),
    }


def _small(name: str, architecture: str, fill: int = 1, **shape: int) -> Mapping[str, bytes]:
    return {
        ".gitattributes": b"*.safetensors filter=lfs\n",
        "README.md": _card(name),
        "config.json": json.dumps(_config(architecture, **shape)).encode(),
        "generation_config.json": b'{"do_sample": true}',
        "model.safetensors": safetensors(64_000, fill),
        "tokenizer.json": b'{"version": "1.0"}',
        "tokenizer_config.json": b'{"chat_template": "{{ messages }}"}',
    }


def _config(
    architecture: str,
    *,
    hidden_size: int,
    heads: int,
    layers: int,
    kv_heads: int = 0,
    head_dim: int = 64,
) -> dict[str, Any]:
    return {
        "architectures": [architecture],
        "hidden_size": hidden_size,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads or heads,
        "num_hidden_layers": layers,
        "head_dim": head_dim,
        "max_position_embeddings": 32768,
        "torch_dtype": "bfloat16",
    }


def _card(name: str) -> bytes:
    front = "license: apache-2.0\nlibrary_name: transformers\npipeline_tag: text-generation\n"
    return f"---\n{front}language: [en]\n---\n# {name.rpartition('/')[2]}\n".encode()


def _listed(file: str) -> Mapping[str, int | bytes]:
    """Return a repository as the Hub lists it: what is read for a plan, is as long as it says."""
    found = json.loads((_LISTINGS / file).read_text())
    config = json.dumps(_config("MistralForCausalLM", **_MISTRAL))
    texts = {**found["texts"], "config.json": config, "README.md": _card(LISTED).decode()}
    files: dict[str, int | bytes] = dict(found["files"])
    return files | {name: text.ljust(int(files[name])).encode() for name, text in texts.items()}
