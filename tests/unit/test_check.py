from typing import Any

import pytest

from modelcar.errors import DeployError
from modelcar.serving.check import check
from modelcar.serving.deploy import render
from modelcar.serving.manifest import inference_service
from modelcar.values import Digest, Model, ModelSource
from tests.serving_models import DIGEST, IMAGE, full, quantized


def bare() -> Model:
    """A model of which no more is known than its URI: no argument is rendered."""
    return Model("bare", "1", ModelSource.parse("hf://example/bare"))


def test_what_the_catalog_takes_as_a_quantity_is_one_here() -> None:
    model = quantized(cpu="1500000u", memory="32e9")
    assert check(rendered(model), DIGEST) == ()


def rendered(model: Model) -> dict[str, Any]:
    return inference_service(model, IMAGE, "ml")


@pytest.mark.parametrize("model", [quantized(), full(), quantized(gpus=0), bare()])
def test_what_is_rendered_has_no_fault(model: Model) -> None:
    assert check(rendered(model), DIGEST) == ()


@pytest.mark.parametrize(
    ("serving", "fault"),
    [
        ({"args": ("--model=/models",)}, "--model is the runtime's"),
        ({"args": ("--served_model_name", "x")}, "--served-model-name is the runtime's"),
        ({"args": ("--max-num-seqs 4",)}, "is one word to vLLM"),
        ({"args": ("--tensor-parallel-size=2",)}, "needs 2 GPUs"),
        ({"args": ("-tp", "2")}, "needs 2 GPUs"),
        ({"args": ("--tensor-parallel-size", "1.0")}, "'1.0' is not a whole number"),
        ({"tensor_parallel_size": 8}, "needs 8 GPUs"),
        ({"memory": "32GB"}, "resources.requests.memory: '32GB' is not a quantity"),
        ({"memory": "32Gi", "memory_limit": "31G"}, "above the limit, 31G"),
        ({"cpu": ""}, "resources.requests.cpu: '' is not a quantity"),
    ],
)
def test_faults_of_the_serving_section_are_found(serving: dict[str, object], fault: str) -> None:
    faults = check(rendered(quantized(**serving)), DIGEST)

    assert any(fault in line for line in faults), faults


@pytest.mark.parametrize(
    "args",
    [
        ("--model-impl=transformers",),
        ("--tensor-parallel-size=1",),
        ('--hf-overrides={"a": "--model"}',),
    ],
)
def test_arguments_that_only_look_alike_pass(args: tuple[str, ...]) -> None:
    assert check(rendered(quantized(args=args)), DIGEST) == ()


@pytest.mark.parametrize("memory", ["500m", "16Gi", "1.5Gi", "17179869184"])
def test_quantities_as_kubernetes_writes_them_pass(memory: str) -> None:
    assert check(rendered(quantized(memory=memory)), DIGEST) == ()


@pytest.mark.parametrize(
    "uri",
    [
        f"oci://quay.example.com/team/mistral@{Digest('cd' * 32)}",
        "oci://quay.example.com/team/mistral:v1",
        f"quay.example.com/team/mistral@{DIGEST}",
        f"oci://@{DIGEST}",
    ],
)
def test_a_uri_that_is_not_exactly_the_digest_is_a_fault(uri: str) -> None:
    manifest = rendered(quantized())
    manifest["spec"]["predictor"]["model"]["storageUri"] = uri

    (fault,) = check(manifest, DIGEST)

    assert fault.startswith("storageUri: ")


@pytest.mark.parametrize("name", ["Mistral", "4bit", "a" * 54, "a-"])
def test_a_name_that_kserve_refuses_is_a_fault(name: str) -> None:
    manifest = rendered(quantized())
    manifest["metadata"]["name"] = name

    (fault,) = check(manifest, DIGEST)

    assert fault.startswith("metadata.name: ")


def test_placement_under_the_model_is_a_fault() -> None:
    manifest = rendered(quantized())
    predictor = manifest["spec"]["predictor"]
    predictor["model"]["nodeSelector"] = predictor.pop("nodeSelector")

    (fault,) = check(manifest, DIGEST)

    assert fault.startswith("predictor.model.nodeSelector: ")


def test_rendering_for_a_cluster_refuses_all_faults_at_once() -> None:
    with pytest.raises(DeployError, match=r"--model is.*'32GB' is not"):
        render(quantized(memory="32GB", args=("--model=/models",)), IMAGE, "ml")
