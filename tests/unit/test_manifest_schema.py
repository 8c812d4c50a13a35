import os
from pathlib import Path

import jsonschema
import pytest

from modelcar.serving.manifest import inference_service
from modelcar.values import Model
from tests.crd_schema import strict, validator
from tests.serving_models import IMAGE, REGISTERED, full, quantized

CRD = "serving.kserve.io_inferenceservices.crd.yaml"
Validator = jsonschema.Draft202012Validator


@pytest.fixture(scope="module")
def schema() -> Validator:
    folder = os.environ.get("KSERVE_CRDS")
    if not folder:
        pytest.skip("KSERVE_CRDS does not name a folder with KServe's definitions")
    return validator(Path(folder) / CRD, "InferenceService")


@pytest.mark.parametrize(
    "model",
    [quantized(), full(), quantized(gpus=0, route=False), full(pull_secret="pull", args=("-x",))],
)
def test_kserve_knows_every_field_that_is_rendered(schema: Validator, model: Model) -> None:
    manifest = inference_service(
        model, IMAGE, "ml", registered=REGISTERED, model_registry_name="registry"
    )

    assert [error.message for error in schema.iter_errors(manifest)] == []


def test_a_misplaced_field_is_refused(schema: Validator) -> None:
    manifest = inference_service(quantized(), IMAGE, "ml")
    predictor = manifest["spec"]["predictor"]
    predictor["model"]["nodeSelector"] = predictor.pop("nodeSelector")

    (error,) = schema.iter_errors(manifest)

    assert "'nodeSelector' was unexpected" in error.message


def test_a_number_where_text_belongs_is_refused(schema: Validator) -> None:
    manifest = inference_service(quantized(), IMAGE, "ml")
    manifest["spec"]["predictor"]["model"]["args"] = [4096]

    (error,) = schema.iter_errors(manifest)

    assert error.message == "4096 is not of type 'string'"


@pytest.mark.parametrize(
    ("openapi", "good", "bad"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": "x"}, {"b": "x"}),
        ({"x-kubernetes-int-or-string": True}, "50%", 1.5),
        ({"type": "string", "nullable": True}, None, 1),
        (
            {"type": "array", "items": {"type": "object", "properties": {}}},
            [{}],
            [{"a": 1}],
        ),
        (
            {"type": "object", "additionalProperties": {"type": "integer"}},
            {"any": 1},
            {"any": "x"},
        ),
        (
            {
                "type": "object",
                "properties": {"metadata": {"type": "object"}},
            },
            {"metadata": {"labels": {}}},
            {"metadata": 1},
        ),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"any": 1}, []),
    ],
)
def test_a_definition_becomes_a_strict_schema(
    openapi: dict[str, object], good: object, bad: object
) -> None:
    checker = Validator(strict(openapi))

    assert checker.is_valid(good)
    assert not checker.is_valid(bad)
