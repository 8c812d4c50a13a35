"""The InferenceService of a model, as the OpenShift AI dashboard would make it."""

import hashlib
import json
from typing import Any, Final

from modelcar.errors import DeployError
from modelcar.names import dns_name
from modelcar.oci.reference import Layout, parse_image
from modelcar.values import ImageDigest, Model, ModelVersion, Serving

Manifest = dict[str, Any]

API_VERSION = "serving.kserve.io/v1beta1"
KIND = "InferenceService"
GPU = "nvidia.com/gpu"
SETTINGS: Final = "modelcar-pipelines.io/settings"
"""A fingerprint of the predictor. KServe copies annotations to the pods' template: there it tells
which settings are rolled out, where the image is the same."""
REGISTERED = "modelregistry.opendatahub.io/"
"""The prefix of the labels by which the cluster's controller links to the Model Registry."""


def inference_service(
    model: Model,
    image: ImageDigest,
    namespace: str,
    *,
    registered: ModelVersion | None = None,
    model_registry_name: str = "",
) -> Manifest:
    """Return the InferenceService that serves `image`; raise DeployError for an image in a layout.

    Without a `namespace` it goes where it is applied.

    Neither `--model` nor `--served-model-name` is an argument: the runtime has both, KServe appends
    ours after them, and vLLM believes the last.
    """
    predictor = _predictor(model.serving, image)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "name": dns_name(model.name),
            **({"namespace": namespace} if namespace else {}),
            "labels": _labels(model.serving, registered, model_registry_name),
            "annotations": {**_annotations(model), SETTINGS: _fingerprint(predictor)},
        },
        "spec": {"predictor": predictor},
    }


def _fingerprint(predictor: Manifest) -> str:
    text = json.dumps(predictor, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def to_yaml(manifest: Manifest) -> str:
    """Return the manifest as YAML, its keys in the order in which people read them."""
    import yaml

    return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True)


def _labels(
    serving: Serving, registered: ModelVersion | None, model_registry_name: str
) -> dict[str, str]:
    labels = {"opendatahub.io/dashboard": "true"}
    if serving.route:
        labels["networking.kserve.io/visibility"] = "exposed"
    if registered:
        # From these, the cluster's controller links the deployment in the Model Registry.
        labels[f"{REGISTERED}registered-model-id"] = registered.registered_model_id
        labels[f"{REGISTERED}model-version-id"] = registered.version_id
        if model_registry_name:
            labels[f"{REGISTERED}name"] = model_registry_name
    return labels


def _annotations(model: Model) -> dict[str, str]:
    annotations = {"openshift.io/display-name": model.name}
    if model.description:
        annotations["openshift.io/description"] = model.description
    # Said aloud: the default was Serverless in some releases, and cannot be changed later.
    annotations["serving.kserve.io/deploymentMode"] = "RawDeployment"
    annotations["opendatahub.io/model-type"] = "generative"
    annotations["security.opendatahub.io/enable-auth"] = str(model.serving.auth).lower()
    if model.serving.route:
        # A Route's 30 s are too short for a long completion.
        annotations["haproxy.router.openshift.io/timeout"] = "300s"
    return annotations | _hardware_profile(model.serving.hardware_profile)


def _hardware_profile(named: str) -> dict[str, str]:
    """Name the profile; the cluster's webhook fills in what it says, and its selector wins."""
    namespace, _, name = named.rpartition("/")
    prefix, found = "opendatahub.io/hardware-profile", {}
    if name:
        found[f"{prefix}-name"] = name
    if namespace:
        found[f"{prefix}-namespace"] = namespace
    return found


def _predictor(serving: Serving, image: ImageDigest) -> Manifest:
    predictor: Manifest = {
        "minReplicas": 1,
        "maxReplicas": 1,
        # A rolling update waits for a second set of GPUs, often for ever.
        "deploymentStrategy": {"type": "Recreate"},
    }
    if serving.pull_secret:
        predictor["imagePullSecrets"] = [{"name": serving.pull_secret}]
    if serving.node_selector:
        predictor["nodeSelector"] = dict(serving.node_selector)
    if tolerations := tolerated(serving):
        predictor["tolerations"] = tolerations
    if _tensor_parallel(serving) > 1:
        # NCCL talks through shared memory; the runtime's template mounts none.
        memory = {"medium": "Memory", "sizeLimit": "2Gi"}
        predictor["volumes"] = [{"name": "shm", "emptyDir": memory}]
    predictor["model"] = _model(serving, image)
    return predictor


def tolerated(serving: Serving) -> list[dict[str, str]]:
    """Return the tolerations of the model's pods, as Kubernetes has them."""
    gpus = [f"{GPU}:NoSchedule"] if serving.gpus else []
    return [_toleration(text) for text in (*gpus, *serving.tolerations)]


def _toleration(text: str) -> dict[str, str]:
    taint, _, effect = text.partition(":")
    key, equals, value = taint.partition("=")
    match = {"operator": "Equal", "value": value} if equals else {"operator": "Exists"}
    return {"key": key, **match, **({"effect": effect} if effect else {})}


def _model(serving: Serving, image: ImageDigest) -> Manifest:
    model: Manifest = {
        "modelFormat": {"name": "vLLM"},
        "runtime": serving.runtime,
        "storageUri": f"oci://{image_name(image)}",
    }
    arguments = _arguments(serving)
    if arguments:
        model["args"] = arguments
    if _tensor_parallel(serving) > 1:
        model["volumeMounts"] = [{"name": "shm", "mountPath": "/dev/shm"}]  # noqa: S108 not a file of ours
    model["resources"] = _resources(serving)
    return model


def image_name(image: ImageDigest) -> str:
    """Return what a node pulls, `host/repository@digest`; raise DeployError for a layout's."""
    location = parse_image(str(image)).location
    if isinstance(location, Layout):
        why = "it stands in a folder, which no node of the cluster can pull"
        remedy = "push it first, with `modelcar mirror` or a build to host/repository:tag"
        raise DeployError(f"deploying {image}", why, remedy)
    return f"{location}@{image.digest}"


def _tensor_parallel(serving: Serving) -> int:
    return serving.tensor_parallel_size or serving.gpus


def _arguments(serving: Serving) -> list[str]:
    parallel, arguments = _tensor_parallel(serving), []
    if serving.max_model_len:
        arguments.append(f"--max-model-len={serving.max_model_len}")
    if parallel > 1:
        arguments.append(f"--tensor-parallel-size={parallel}")
    return [*arguments, *serving.args]


def _resources(serving: Serving) -> Manifest:
    gpus = {GPU: str(serving.gpus)} if serving.gpus else {}
    limit = serving.memory_limit or serving.memory
    return {
        "requests": {"cpu": serving.cpu, "memory": serving.memory, **gpus},
        "limits": {"cpu": serving.cpu, "memory": limit, **gpus},
    }
