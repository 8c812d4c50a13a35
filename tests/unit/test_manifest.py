import re
from typing import Any

import pytest
import yaml

from modelcar.errors import DeployError
from modelcar.serving.manifest import SETTINGS, inference_service, to_yaml
from modelcar.values import Digest, ImageDigest, Model
from tests.serving_models import DIGEST, IMAGE, REGISTERED, full, quantized

GPU = "nvidia.com/gpu"


def predictor(model: Model) -> dict[str, Any]:
    manifest = inference_service(model, IMAGE, "ml")
    found = manifest["spec"]["predictor"]
    assert isinstance(found, dict)
    return found


def test_the_quantized_model_is_served_as_the_dashboard_would() -> None:
    manifest = inference_service(quantized(), IMAGE, "ml")

    assert re.fullmatch("[0-9a-f]{16}", manifest["metadata"]["annotations"].pop(SETTINGS))
    assert manifest == {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "mistral-24b-quantized",
            "namespace": "ml",
            "labels": {
                "opendatahub.io/dashboard": "true",
                "networking.kserve.io/visibility": "exposed",
            },
            "annotations": {
                "openshift.io/display-name": "mistral-24b-quantized",
                "serving.kserve.io/deploymentMode": "RawDeployment",
                "opendatahub.io/model-type": "generative",
                "security.opendatahub.io/enable-auth": "true",
                "haproxy.router.openshift.io/timeout": "300s",
            },
        },
        "spec": {
            "predictor": {
                "minReplicas": 1,
                "maxReplicas": 1,
                "deploymentStrategy": {"type": "Recreate"},
                "nodeSelector": {"node.kubernetes.io/instance-type": "g6.4xlarge"},
                "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
                "model": {
                    "modelFormat": {"name": "vLLM"},
                    "runtime": "vllm-cuda-runtime",
                    "storageUri": f"oci://quay.example.com/team/mistral@{DIGEST}",
                    "args": ["--max-model-len=4096"],
                    "resources": {
                        "requests": {"cpu": "4", "memory": "32Gi", GPU: "1"},
                        "limits": {"cpu": "4", "memory": "32Gi", GPU: "1"},
                    },
                },
            }
        },
    }


def test_the_fingerprint_follows_what_the_pods_are_made_of() -> None:
    def fingerprint(model: Model, image: ImageDigest = IMAGE) -> str:
        annotations = inference_service(model, image, "ml")["metadata"]["annotations"]
        return str(annotations[SETTINGS])

    same = fingerprint(quantized())
    assert fingerprint(quantized(route=False)) == same
    assert fingerprint(quantized(cpu="8")) != same
    assert fingerprint(quantized(), ImageDigest(IMAGE.name, Digest("cd" * 32))) != same


def test_the_full_model_spans_four_gpus_that_share_memory() -> None:
    found = predictor(full(args=("--enforce-eager",)))

    assert found["volumes"] == [
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}
    ]
    assert found["model"]["volumeMounts"] == [{"name": "shm", "mountPath": "/dev/shm"}]
    assert found["model"]["args"] == ["--tensor-parallel-size=4", "--enforce-eager"]
    assert found["model"]["resources"]["limits"] == {"cpu": "4", "memory": "96Gi", GPU: "4"}
    assert found["nodeSelector"] == {"node.kubernetes.io/instance-type": "g6.12xlarge"}


def test_all_gpus_work_together_unless_told_otherwise() -> None:
    assert "--tensor-parallel-size=4" in predictor(full(tensor_parallel_size=0))["model"]["args"]
    assert "args" not in predictor(full(tensor_parallel_size=1))["model"]


def test_without_gpus_nothing_speaks_of_them() -> None:
    found = predictor(quantized(gpus=0, node_selector={}))

    assert "gpu" not in str(found)
    assert "nodeSelector" not in found
    assert found["model"]["args"] == ["--max-model-len=4096"]


def test_a_memory_limit_of_its_own_is_only_a_limit() -> None:
    resources = predictor(quantized(memory_limit="48Gi"))["model"]["resources"]

    assert (resources["requests"]["memory"], resources["limits"]["memory"]) == ("32Gi", "48Gi")


def test_tolerations_are_written_as_kubernetes_has_them() -> None:
    taints = ("team", "team=ml", "team:NoExecute", "team=ml:NoSchedule")
    found = predictor(quantized(gpus=0, tolerations=taints))

    assert found["tolerations"] == [
        {"key": "team", "operator": "Exists"},
        {"key": "team", "operator": "Equal", "value": "ml"},
        {"key": "team", "operator": "Exists", "effect": "NoExecute"},
        {"key": "team", "operator": "Equal", "value": "ml", "effect": "NoSchedule"},
    ]
    assert len(predictor(quantized(tolerations=taints))["tolerations"]) == 5


def test_a_hardware_profile_is_named_in_annotations() -> None:
    def named(profile: str) -> dict[str, str]:
        model = quantized(hardware_profile=profile)
        annotations = inference_service(model, IMAGE, "ml")["metadata"]["annotations"]
        prefix = "opendatahub.io/hardware-profile-"
        return {k.removeprefix(prefix): v for k, v in annotations.items() if k.startswith(prefix)}

    assert named("l4") == {"name": "l4"}
    assert named("redhat-ods-applications/l4") == {
        "name": "l4",
        "namespace": "redhat-ods-applications",
    }
    assert named("") == {}


def test_a_pull_secret_stands_under_the_predictor() -> None:
    found = predictor(quantized(pull_secret="quay-pull"))

    assert found["imagePullSecrets"] == [{"name": "quay-pull"}]


def test_without_route_and_auth_the_service_is_internal_and_open() -> None:
    metadata = inference_service(quantized(route=False, auth=False), IMAGE, "ml")["metadata"]

    assert metadata["labels"] == {"opendatahub.io/dashboard": "true"}
    assert metadata["annotations"]["security.opendatahub.io/enable-auth"] == "false"
    assert "haproxy.router.openshift.io/timeout" not in metadata["annotations"]


def test_a_registered_version_is_named_in_labels() -> None:
    manifest = inference_service(
        quantized(), IMAGE, "ml", registered=REGISTERED, model_registry_name="modelregistry"
    )

    prefix = "modelregistry.opendatahub.io"
    labels = manifest["metadata"]["labels"]
    assert labels[f"{prefix}/registered-model-id"] == "1"
    assert labels[f"{prefix}/model-version-id"] == "2"
    assert labels[f"{prefix}/name"] == "modelregistry"


def test_an_image_in_a_folder_is_refused() -> None:
    image = ImageDigest("oci:/data/layout:v1", DIGEST)

    with pytest.raises(DeployError, match="push it first"):
        inference_service(quantized(), image, "ml")


def test_without_a_namespace_none_is_written() -> None:
    assert "namespace" not in inference_service(quantized(), IMAGE, "")["metadata"]


def test_yaml_reads_back_and_keeps_the_order() -> None:
    manifest = inference_service(full(), IMAGE, "ml")

    text = to_yaml(manifest)

    assert yaml.safe_load(text) == manifest
    assert text.startswith("apiVersion: ")
