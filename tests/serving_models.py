"""The two models that the predecessor served, as values; and what their `config.json` says."""

from typing import Any, Final

from modelcar.values import Digest, ImageDigest, Model, ModelSource, ModelVersion, Serving

DIGEST = Digest("ab" * 32)
IMAGE = ImageDigest("quay.example.com/team/mistral", DIGEST)
REGISTERED = ModelVersion("mistral-24b", "2501", f"oci://{IMAGE}", "1", "2", "3")
CONFIG: Final[dict[str, Any]] = {
    "architectures": ["MistralForCausalLM"],
    "hidden_size": 5120,
    "head_dim": 128,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 40,
    "max_position_embeddings": 32768,
    "torch_dtype": "bfloat16",
}


def quantized(**serving: object) -> Model:
    """Return the 4-bit model: one GPU."""
    nodes = {"node.kubernetes.io/instance-type": "g6.4xlarge"}
    fields = {"gpus": 1, "memory": "32Gi", "max_model_len": 4096, "node_selector": nodes}
    return _model("mistral-24b-quantized", Serving(**{**fields, **serving}))  # type: ignore[arg-type]


def full(**serving: object) -> Model:
    """Return the model at full precision: four GPUs."""
    nodes = {"node.kubernetes.io/instance-type": "g6.12xlarge"}
    fields = {"gpus": 4, "memory": "96Gi", "tensor_parallel_size": 4, "node_selector": nodes}
    return _model("mistral-24b", Serving(**{**fields, **serving}))  # type: ignore[arg-type]


def _model(name: str, serving: Serving) -> Model:
    return Model(
        name, "2501", ModelSource.parse("hf://mistralai/Mistral-Small"), "", serving=serving
    )
