"""What OpenShift adds to Kubernetes, as far as a deployment meets it: templates of runtimes."""

from pathlib import Path
from typing import Any, Final

import yaml

from tests.servers.kube import KubeServer

KSERVE: Final = (
    "serving.kserve.io_inferenceservices.crd.yaml",
    "serving.kserve.io_servingruntimes.crd.yaml",
)
_OPEN: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(
    kind: str, group: str, version: str = "v1", scope: str = "Namespaced"
) -> dict[str, Any]:
    """Return a stand-in definition of a kind that OpenShift serves itself."""
    singular = kind.lower()
    names = {"kind": kind, "listKind": f"{kind}List", "singular": singular}
    schema = {"openAPIV3Schema": _OPEN}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.{group}"},
        "spec": {
            "group": group,
            "names": {**names, "plural": f"{singular}s"},
            "scope": scope,
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


def install(server: KubeServer, kserve: Path) -> None:
    """Have the server know what OpenShift AI serves; `kserve` has KServe's definitions."""
    for name in KSERVE:
        server.install_crd(yaml.load((kserve / name).read_bytes(), Loader=yaml.CSafeLoader))
    for one in definitions():
        server.install_crd(one)


def definitions() -> list[dict[str, Any]]:
    """Return what a test server needs to know of OpenShift."""
    return [
        definition("Workflow", "argoproj.io", "v1alpha1"),
        definition("Template", "template.openshift.io"),
        definition("Route", "route.openshift.io"),
        definition("ImageStream", "image.openshift.io"),
        definition("BuildConfig", "build.openshift.io"),
        definition(
            "DataSciencePipelinesApplication",
            "datasciencepipelinesapplications.opendatahub.io",
        ),
        definition("AppliedClusterResourceQuota", "quota.openshift.io"),
        definition("DataScienceCluster", "datasciencecluster.opendatahub.io", scope="Cluster"),
        definition("ClusterServiceVersion", "operators.coreos.com", "v1alpha1"),
        definition("ClusterServingRuntime", "serving.kserve.io", "v1alpha1", "Cluster"),
    ]


def runtime(name: str) -> dict[str, Any]:
    """Return vLLM's serving runtime, as OpenShift AI ships it in its template."""
    container = {
        "name": "kserve-container",
        "image": "registry.example/vllm@sha256:" + "0" * 64,
        "command": ["python", "-m", "vllm.entrypoints.openai.api_server"],
        "args": ["--port=8080", "--model=/mnt/models", "--served-model-name={{.Name}}"],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
    }
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {
            "name": name,
            "labels": {"opendatahub.io/dashboard": "true"},
            "annotations": {"openshift.io/display-name": "vLLM NVIDIA GPU ServingRuntime"},
        },
        "spec": {
            "containers": [container],
            "multiModel": False,
            "supportedModelFormats": [{"name": "vLLM", "autoSelect": True}],
        },
    }


def template(name: str, *objects: dict[str, Any]) -> dict[str, Any]:
    """Return a template of these objects, as the dashboard lists it."""
    shown = {"openshift.io/display-name": "vLLM for NVIDIA GPUs"}
    return {
        "apiVersion": "template.openshift.io/v1",
        "kind": "Template",
        "metadata": {"name": name, "annotations": shown},
        "objects": list(objects),
        "parameters": [],
    }
