"""Whether models fit: the predecessor's two, others by one property each, and what is unknown."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelcar import catalog
from modelcar.gpu import Fit, Need, best, fit, node_of, told
from modelcar.gpu_types import GIB, INSTANCES
from modelcar.model_shape import Shape, shape
from modelcar.values import Serving
from tests.serving_models import CONFIG

MISTRAL = {**CONFIG, "sliding_window": None}
SHAPE = shape(MISTRAL)
QUANTIZED = Need(int(13.2 * GIB), int(13.3 * GIB), SHAPE)
FULL = Need(int(43.9 * GIB), int(44.0 * GIB), SHAPE)
INSTANCE = "node.kubernetes.io/instance-type"


def on(name: str, gpus: int = 1, **more: Any) -> tuple[Serving, Any]:
    serving = Serving(gpus=gpus, node_selector={INSTANCE: name}, **more)
    return serving, node_of(serving)


def test_the_quantized_model_fits_on_one_l4_with_about_33k_tokens() -> None:
    found = fit(QUANTIZED, *on("g6.4xlarge", max_model_len=4096))

    assert (found.verdict, found.where) == ("fits", "1 x L4 (g6.4xlarge)")
    assert found.kv == 160 * 1024
    beyond = fit(replace(QUANTIZED, shape=replace(SHAPE, positions=131072)), *on("g6.4xlarge"))
    assert 32_000 < beyond.longest < 34_500
    assert found.longest == 32768
    assert found.least_parallel == 1


@pytest.mark.parametrize(
    ("name", "gpus", "verdict"),
    [
        ("g6.12xlarge", 4, "fits"),
        ("g6.12xlarge", 2, "does not fit"),
        ("g6.4xlarge", 1, "does not fit"),
        ("g6e.4xlarge", 1, "does not fit"),
        ("g6e.12xlarge", 2, "fits"),
        ("p5.48xlarge", 1, "fits"),
    ],
)
def test_the_full_model_fits_on_four_l4_but_not_on_two_nor_on_one_l40s(
    name: str, gpus: int, verdict: str
) -> None:
    found = fit(FULL, *on(name, gpus, max_model_len=32768))

    assert found.verdict == verdict, found.why
    assert found.weights == FULL.weights // gpus
    assert bool(found.setting) == (verdict != "fits")


def test_the_catalogs_models_fit_where_they_ask_to_be() -> None:
    folder = Path(__file__).resolve().parents[2] / "models"
    for name, need in (("mistral-24b-quantized", QUANTIZED), ("mistral-24b", FULL)):
        serving = catalog.load(folder / f"{name}.yaml").serving
        assert fit(need, serving, node_of(serving)).verdict == "fits"


def test_more_gpus_of_the_node_are_advised_before_another_kind() -> None:
    two = fit(FULL, *on("g6.12xlarge", 2, max_model_len=8192))
    one = fit(FULL, *on("g6e.4xlarge", max_model_len=8192))

    assert two.why == "21.9 GiB of weights on each GPU, of 19.8 GiB"
    assert two.setting == "set serving.gpus and serving.tensor_parallel_size to 4"
    assert (two.least_parallel, one.least_parallel) == (4, 0)
    assert one.setting == (
        f"set serving.node_selector to {INSTANCE}: g6.12xlarge (4 x L4), "
        "and serving.gpus and serving.tensor_parallel_size to 4"
    )


def test_a_context_that_is_too_long_is_advised_to_be_shorter() -> None:
    long = replace(QUANTIZED, shape=replace(SHAPE, positions=131072))
    found = fit(long, *on("g6.4xlarge"))

    assert found.verdict == "does not fit"
    assert found.why == "131072 tokens need 20.0 GiB of KV cache, and 5.1 GiB is left"
    assert found.setting == "set serving.max_model_len to 32768"
    again = fit(long, *on("g6.4xlarge", max_model_len=32768))
    assert again.verdict == "fits"


def test_within_what_is_only_estimated_a_fit_is_tight() -> None:
    long = replace(QUANTIZED, shape=replace(SHAPE, positions=131072))
    found = fit(long, *on("g6.4xlarge", max_model_len=40_000))

    assert found.verdict == "tight"
    assert found.setting == "set serving.max_model_len to 32768"


def test_heads_must_divide() -> None:
    odd = replace(FULL, shape=replace(SHAPE, heads=14, kv_heads=2))
    found = fit(odd, *on("g6.12xlarge", 4))

    assert found.why == "14 attention heads cannot be spread over 4 GPUs"
    assert found.setting.startswith(f"set serving.node_selector to {INSTANCE}: g6e.12xlarge")


def test_bfloat16_needs_a_gpu_that_has_it() -> None:
    small = replace(QUANTIZED, weights=GIB)
    found = fit(small, *on("g4dn.xlarge", max_model_len=4096))
    assert found.verdict == "does not fit"
    assert found.why == "bfloat16 needs compute capability 8.0, T4 has 7.5"
    assert found.setting == "add --dtype=half to serving.args"
    half = fit(small, *on("g4dn.xlarge", max_model_len=4096, args=("--dtype=half",)))
    assert half.verdict == "fits"


def test_arguments_of_vllm_count() -> None:
    full = fit(FULL, *on("g6e.4xlarge", args=("--gpu-memory-utilization=0.99",)))
    fp8 = fit(QUANTIZED, *on("g6.4xlarge", args=("--kv-cache-dtype", "fp8_e4m3")))
    staged = fit(FULL, *on("g6.12xlarge", 4, args=("--pipeline_parallel_size=2",)))

    assert full.why == "32768 tokens need 5.0 GiB of KV cache, and 0.0 GiB is left"
    assert fp8.kv == 80 * 1024
    assert (staged.verdict, staged.why) == (
        "unknown",
        "the effect of --pipeline-parallel-size is not computed",
    )


def test_more_gpus_than_the_node_has_cannot_be_had() -> None:
    found = fit(FULL, *on("g6.12xlarge", 8))
    assert found.why == "8 GPUs are asked for, and g6.12xlarge has 4"
    assert found.setting == "set serving.gpus and serving.tensor_parallel_size to 4"


@pytest.mark.parametrize(
    ("serving", "why"),
    [
        (Serving(gpus=0), "no GPU is asked for"),
        (Serving(), f"no GPU type is asked for, by serving.node_selector, {INSTANCE}"),
        (Serving(node_selector={INSTANCE: "x9.huge"}), "the GPUs of x9.huge are not known"),
    ],
)
def test_what_is_not_known_is_said(serving: Serving, why: str) -> None:
    found = fit(QUANTIZED, serving, node_of(serving))
    assert (found.verdict, found.why, found.where) == ("unknown", why, "")
    assert found.weights == QUANTIZED.weights


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"architectures": ["BertModel"]}, "architecture BertModel"),
        ({"architectures": None}, "no architecture in config.json"),
        ({"kv_lora_rank": 512}, "multi-head latent attention"),
        ({"block_configs": [{}]}, "layers of several kinds"),
        ({"layer_types": ["full_attention", ["odd"]]}, "layers of several kinds"),
        ({"attention_chunk_size": 8192}, "attention in chunks"),
        ({"num_kv_heads": 8}, "heads that are grouped in a way of their own"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layers of several kinds"),
        ({"sliding_window": 4096}, "a sliding window"),
        ({"mamba_d_state": 16}, "layers with a state"),
        ({"num_hidden_layers": "40"}, "no num_hidden_layers in config.json"),
        ({"hidden_size": 0}, "no hidden_size in config.json"),
    ],
)
def test_of_another_design_only_the_weights_are_known(changes: dict[str, Any], reason: str) -> None:
    other = shape({**MISTRAL, **changes})
    found = fit(replace(QUANTIZED, shape=other), *on("g6.4xlarge"))
    too_large = fit(replace(FULL, shape=other), *on("g6.4xlarge"))

    assert other.unknown == reason
    assert (found.verdict, found.why) == ("unknown", f"the KV cache of {reason} is not known")
    assert (found.kv, found.longest) == (0, 0)
    assert too_large.verdict == "does not fit"


def test_of_another_design_heads_and_the_longest_context_are_known() -> None:
    other = replace(QUANTIZED, shape=shape({**MISTRAL, "attention_chunk_size": 8192}))
    spread = fit(other, *on("g6.12xlarge", 3))
    long = fit(other, *on("g6.4xlarge", max_model_len=40_000))

    assert (spread.verdict, spread.why) == (
        "does not fit",
        "32 attention heads cannot be spread over 3 GPUs",
    )
    assert long.why == "40000 tokens are more than the 32768 it was made for"


@pytest.mark.parametrize("name", ["X\x1b[2J", "X\x85commit: 5", "X\n", "X" * 5000])
def test_an_architecture_is_named_on_one_line_without_control_characters(name: str) -> None:
    told = shape({**MISTRAL, "architectures": [name]}).unknown
    assert told.startswith("architecture X")
    assert told.isprintable()
    assert len(told) <= 120


def test_a_model_with_pictures_has_the_shape_of_its_text() -> None:
    nested = {"architectures": ["Mistral3ForConditionalGeneration"], "text_config": MISTRAL}
    nested["text_config"] = {k: v for k, v in MISTRAL.items() if k != "architectures"}
    assert shape(nested) == SHAPE
    assert Shape("", 40, 32, 8, 128, 32768, "bfloat16") == SHAPE


def test_what_a_config_leaves_out_follows_from_the_rest() -> None:
    bare = {k: v for k, v in MISTRAL.items() if k not in ("head_dim", "num_key_value_heads")}
    found = shape({**bare, "use_sliding_window": False, "sliding_window": 4096, "dtype": "float16"})
    assert (found.kv_heads, found.head_dim, found.dtype) == (32, 160, "float16")


def test_a_fit_is_told_in_one_line() -> None:
    found = fit(QUANTIZED, *on("g6.4xlarge", max_model_len=4096))
    assert told(found) == (
        "fits on 1 x L4 (g6.4xlarge) (weights 13.2 GiB a GPU, KV cache 160 KiB a token, "
        "up to 32768 tokens, 28.6 GB of the node's disk)"
    )
    assert told(Fit("unknown", "", "no GPU is asked for", disk=10**9)) == (
        "unknown: no GPU is asked for (weights 0.0 GiB a GPU, 1.0 GB of the node's disk)"
    )


def test_a_disk_that_is_too_small_is_named() -> None:
    serving, node = on("g6.4xlarge", max_model_len=4096)
    found = fit(QUANTIZED, serving, replace(node, disk=20 * 10**9))
    assert found.why.startswith("its image takes 28.6 GB of a node's disk while it is unpacked, g6")
    assert found.setting == "give these nodes a larger root disk"
    assert fit(QUANTIZED, serving, replace(node, disk=40 * 10**9)).verdict == "fits"


def test_the_best_of_the_nodes_counts_and_without_any_the_selectors() -> None:
    serving, l4 = on("g6.12xlarge", 1, max_model_len=4096)
    l40s = INSTANCES["g6e.xlarge"]
    assert best(FULL, serving, [l4, l40s]).where == "1 x L4 (g6.12xlarge)"
    mixed = best(QUANTIZED, serving, [INSTANCES["g4dn.xlarge"], l40s])
    assert (mixed.verdict, mixed.where) == ("tight", "1 x L40S (g6e.xlarge)")
    assert mixed.why == "the pod may also land on 1 x T4 (g4dn.xlarge), where it does not fit"
    assert best(QUANTIZED, serving, [l40s]).verdict == "fits"
    assert best(QUANTIZED, serving, ()).where == "1 x L4 (g6.12xlarge)"


def test_key_value_heads_must_divide_too() -> None:
    forty = replace(FULL, shape=replace(SHAPE, heads=40))
    asked = fit(forty, *on("g6.48xlarge", 2, max_model_len=8192))
    three = fit(
        replace(QUANTIZED, shape=replace(SHAPE, heads=24)), *on("g6.12xlarge", 3, max_model_len=99)
    )
    assert asked.setting == "set serving.gpus and serving.tensor_parallel_size to 4"
    assert three.why == "8 key-value heads cannot be spread over 3 GPUs"


def test_thirty_two_bits_are_loaded_as_sixteen() -> None:
    wide = Need(28 * GIB, 28 * GIB, replace(SHAPE, dtype="float32"))
    found = fit(wide, *on("g6.4xlarge", max_model_len=4096))
    kept = fit(wide, *on("g6.4xlarge", max_model_len=4096, args=("--dtype=float32",)))
    assert (found.verdict, found.weights, found.kv) == ("fits", 14 * GIB, 160 * 1024)
    assert (kept.verdict, kept.weights) == ("does not fit", 28 * GIB)


def test_advice_is_given_only_where_it_would_do() -> None:
    found = fit(FULL, *on("g4dn.xlarge", max_model_len=4096))
    assert found.setting.startswith(f"set serving.node_selector to {INSTANCE}: ")


def test_a_context_beyond_what_the_model_was_made_for_is_refused_as_vllm_does() -> None:
    found = fit(QUANTIZED, *on("g6e.xlarge", max_model_len=40_000))
    assert found.why == "40000 tokens are more than the 32768 it was made for"
    assert found.setting == "set serving.max_model_len to 32768"


@pytest.mark.parametrize("argument", ["-pp=2", "--quantization=fp8", "--cpu-offload-gb=10"])
def test_what_an_argument_does_is_not_guessed(argument: str) -> None:
    assert fit(FULL, *on("g6.4xlarge", args=(argument,))).verdict == "unknown"


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        ({"type": "linear", "factor": 4.0}, 131072),
        (
            {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 8192},
            32768,
        ),
        ({"rope_type": "llama3", "factor": 8.0}, 32768),
        ({"rope_type": "yarn", "factor": None}, 32768),
        (None, 32768),
    ],
)
def test_the_longest_context_is_derived_as_vllm_does(scaling: Any, expected: int) -> None:
    assert shape({**MISTRAL, "rope_scaling": scaling}).positions == expected


def test_without_a_longest_context_nothing_is_said() -> None:
    endless = replace(QUANTIZED, shape=replace(SHAPE, positions=0))
    assert fit(endless, *on("g6.4xlarge")).why == "its config.json says no longest context"
    assert fit(endless, *on("g6.4xlarge", max_model_len=4096)).verdict == "fits"


def test_every_instance_has_gpus_and_the_cheap_ones_come_first() -> None:
    assert all(node.count and node.gpu.memory for node in INSTANCES.values())
    names = list(INSTANCES)
    assert names.index("g6.xlarge") < names.index("g6.12xlarge") < names.index("p5.48xlarge")
    assert node_of(Serving()) is None
