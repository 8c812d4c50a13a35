"""Values to serve a model, from its size and shape."""

from dataclasses import replace
from typing import Any

import pytest

from modelcar.errors import UsageError
from modelcar.gpu import Need, fit, node_of
from modelcar.gpu_types import GIB, INSTANCE_TYPE, INSTANCES
from modelcar.model_shape import shape
from modelcar.proposal import Proposal, kinds, propose
from modelcar.values import ModelFacts

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "max_position_embeddings": 131072,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "torch_dtype": "bfloat16",
}
EIGHT = Need(15 * GIB, 15 * GIB, shape(LLAMA))
LARGE = {"hidden_size": 8192, "num_attention_heads": 64, "num_hidden_layers": 80}
SEVENTY = Need(131 * GIB, 131 * GIB, shape({**LLAMA, **LARGE}))
SMALL = Need(GIB // 2, GIB // 2, shape({**LLAMA, "max_position_embeddings": 4096}))
FALCON = {"architectures": ["FalconForCausalLM"], "multi_query": True, "num_attention_heads": 71}
BERT = Need(GIB // 10, GIB // 10, shape({"architectures": ["BertModel"], "torch_dtype": "float32"}))


def proposed(need: Need, gpu: str = "", instance: str = "", context: int = 0) -> Proposal:
    return propose(need, ModelFacts(), kinds(gpu, instance), context)


@pytest.mark.parametrize(
    ("need", "instance", "gpus", "memory", "context"),
    [
        (SMALL, "g6.xlarge", 1, "8Gi", 4096),
        # xlarge has the same GPU and 16 GiB of memory.
        (EIGHT, "g6.2xlarge", 1, "24Gi", 16384),
        (SEVENTY, "g6e.12xlarge", 4, "152Gi", 65536),
        (BERT, "g4dn.xlarge", 1, "8Gi", 0),
    ],
    ids=["small", "8B", "70B", "another architecture"],
)
def test_the_first_node_that_holds_it_is_proposed(
    need: Need, instance: str, gpus: int, memory: str, context: int
) -> None:
    found = proposed(need)
    serving = found.serving

    assert found.holds
    assert dict(serving.node_selector) == {INSTANCE_TYPE: instance}
    assert (serving.gpus, serving.memory, serving.max_model_len) == (gpus, memory, context)
    assert serving.tensor_parallel_size == (gpus if gpus > 1 else 0)
    assert serving.cpu == str(2 * gpus)


@pytest.mark.parametrize("need", [SMALL, EIGHT, SEVENTY])
@pytest.mark.parametrize("name", sorted(INSTANCES))
def test_what_is_proposed_fits(need: Need, name: str) -> None:
    found = proposed(need, instance=name)
    told = fit(need, found.serving, node_of(found.serving) or INSTANCES[name])
    assert found.fit == told
    assert (told.verdict == "fits") == found.holds or "too large" in found.why["gpus"]


def test_a_smaller_context_takes_a_smaller_node_and_a_longer_one_a_larger() -> None:
    short, long = proposed(EIGHT, context=2048), proposed(EIGHT, context=65536)

    assert (short.serving.max_model_len, long.serving.max_model_len) == (2048, 65536)
    assert short.serving.node_selector[INSTANCE_TYPE] == "g6.2xlarge"
    assert long.serving.node_selector[INSTANCE_TYPE] == "g6e.xlarge"


def test_a_kind_of_gpu_and_an_instance_type_are_held() -> None:
    by_gpu, by_node = proposed(EIGHT, gpu="a10g"), proposed(EIGHT, instance="p5.48xlarge")

    assert by_gpu.serving.node_selector[INSTANCE_TYPE] == "g5.2xlarge"
    assert by_node.serving.node_selector[INSTANCE_TYPE] == "p5.48xlarge"
    assert by_node.serving.gpus == 1


def test_the_reasons_have_the_figures() -> None:
    why = proposed(EIGHT).why

    assert why["gpus"] == "15.0 GiB of weights on each, of 22.0 GiB"
    assert why["node_selector"].endswith("1 x L4 (g6.2xlarge)")
    assert why["max_model_len"] == (
        "a token keeps 128 KiB on each GPU: up to 27024 fit; it was made for 131072"
    )
    assert "15.0 GiB of weights" in why["memory"]
    assert "architecture BertModel" in proposed(BERT).why["max_model_len"]


def test_of_another_design_the_heads_are_still_spread_evenly() -> None:
    found = proposed(Need(43 * GIB, 43 * GIB, shape({**LLAMA, **FALCON})))

    assert found.fit.verdict == "unknown"
    assert (found.serving.gpus, found.fit.where) == (1, "1 x A100 80GB (p4de.24xlarge)")
    assert found.why["node_selector"].startswith("the smallest whose memory holds the weights, of")


@pytest.mark.parametrize(
    ("architecture", "positions", "context", "length"),
    [
        ("Llama4ForConditionalGeneration", 10_485_760, 0, 8192),
        ("Gemma2ForCausalLM", 4096, 0, 4096),
        ("Llama4ForConditionalGeneration", 10_485_760, 20_000, 20_000),
        # vLLM has its own idea of these, or the config says none.
        ("RobertaModel", 514, 0, 0),
        ("MPTForCausalLM", 0, 0, 0),
    ],
)
def test_of_another_design_a_decoder_is_served_with_the_context_that_was_wanted(
    architecture: str, positions: int, context: int, length: int
) -> None:
    told = {"architectures": [architecture], "max_position_embeddings": positions}
    need = Need(GIB, GIB, shape({**LLAMA, "attention_chunk_size": 8192, **told}))
    found = propose(need, ModelFacts(architecture=architecture), kinds(), context)

    assert found.serving.max_model_len == length
    made = f"only the weights are compared; it was made for {positions}"
    assert found.why["max_model_len"].endswith(made if positions else "are compared")


def test_of_another_design_a_context_beyond_the_models_is_refused_too() -> None:
    need = replace(BERT, shape=shape({"architectures": ["B"], "max_position_embeddings": 512}))
    with pytest.raises(UsageError, match="512 tokens; name 512 or fewer"):
        proposed(need, context=8192)


def test_a_model_that_fits_on_no_node_says_so_and_names_none() -> None:
    huge = replace(SEVENTY, weights=1500 * GIB)
    found = proposed(huge)

    assert not found.holds
    assert found.fit.verdict == "does not fit"
    assert (found.serving.gpus, dict(found.serving.node_selector)) == (8, {})
    assert found.why["gpus"].startswith(
        "it fits on no node that was tried; on 8 x H200 (p5en.48xlarge): 187.5 GiB of weights"
    )


def test_a_node_whose_memory_does_not_hold_the_pod_says_so() -> None:
    found = proposed(EIGHT, instance="g6.xlarge")

    assert not found.holds
    assert "a pod with 2 CPUs and 24Gi is too large for the node" in found.why["gpus"]


@pytest.mark.parametrize(
    "facts",
    [
        ModelFacts(library="sentence-transformers"),
        ModelFacts(tasks=("feature-extraction",)),
        ModelFacts(tasks=("sentence-similarity",)),
    ],
)
def test_a_model_that_makes_embeddings_is_served_as_one(facts: ModelFacts) -> None:
    found = propose(BERT, facts, kinds())
    assert found.serving.args == ("--runner=pooling",)
    assert "/v1/embeddings" in found.why["args"]
    assert propose(BERT, ModelFacts(tasks=("text-generation",)), kinds()).serving.args == ()


@pytest.mark.parametrize(
    ("gpu", "instance", "parts"),
    [("B200", "", ("--gpu B200", "L40S")), ("", "m5.large", ("--instance-type m5", "g6.xlarge"))],
)
def test_what_is_not_known_is_refused_with_what_is(
    gpu: str, instance: str, parts: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError) as caught:
        kinds(gpu, instance)
    assert all(part in str(caught.value) for part in parts)


def test_a_node_without_the_gpu_that_is_asked_for_is_refused_with_the_one_that_it_has() -> None:
    with pytest.raises(UsageError) as caught:
        kinds("L4", "g5.xlarge")
    assert str(caught.value) == (
        "--gpu L4 --instance-type g5.xlarge: g5.xlarge has A10G, not L4; leave one of them out"
    )


def test_a_context_beyond_the_models_is_refused() -> None:
    with pytest.raises(UsageError, match="4096 tokens; name 4096 or fewer"):
        proposed(SMALL, context=8192)
