"""The real vLLM on the CPU, with a tiny model of random weights, in a Python that has it.

That is the one in VLLM_PYTHON, else this one where `vllm` can be imported.
"""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

START_SECONDS = 300.0
# Heads of 64: vLLM on a CPU is healthy with heads of 16, and fails at the first completion.
_MAKE = """
import sys
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
words = ["<s>", "</s>", "<unk>", "Hello", *(f"word{n}" for n in range(60))]
vocabulary = {word: number for number, word in enumerate(words)}
tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
PreTrainedTokenizerFast(
    tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
).save_pretrained(sys.argv[1])
config = LlamaConfig(
    vocab_size=64, hidden_size=128, intermediate_size=128, num_hidden_layers=2,
    num_attention_heads=int(sys.argv[2]), num_key_value_heads=int(sys.argv[2]),
    max_position_embeddings=256, bos_token_id=0, eos_token_id=1,
)
LlamaForCausalLM(config).save_pretrained(sys.argv[1])
"""
_OFFLINE = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}


def python() -> str:
    """Return a Python that has vLLM, or nothing."""
    own = sys.executable if importlib.util.find_spec("vllm") else ""
    return os.environ.get("VLLM_PYTHON") or own


@contextmanager
def real_vllm(folder: Path, name: str, *, heads: int, port: int) -> Iterator[str]:
    """Serve a model with so many attention heads as `name`, and yield its URL once it is healthy.

    Its files and its log lie in `folder`.
    """
    environment = {**os.environ, **_OFFLINE}
    subprocess.run([python(), "-c", _MAKE, folder, str(heads)], check=True, env=environment)
    argv = [python(), "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    argv += ["--served-model-name", name, "--host", "127.0.0.1", "--port", str(port)]
    argv += ["--max-model-len", "256", "--dtype", "bfloat16", "--enforce-eager"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, env=environment)
        try:
            _await_health(f"http://127.0.0.1:{port}", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _await_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    pool = urllib3.PoolManager(retries=False)
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if pool.request("GET", f"{url}/health").status == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass  # it does not listen yet
        time.sleep(0.5)
    raise AssertionError("vLLM did not start: " + log.read_text(errors="replace")[-3000:])
