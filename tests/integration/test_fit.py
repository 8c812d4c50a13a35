"""Fit as `plan` shows it and `deploy` checks it, with the nodes of a real API server."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from modelcar.serving.gpu_kinds import kinds
from modelcar.serving.objects import matching_nodes
from tests.byte_path import REPO, modelcar, refused, tiny, told, write
from tests.servers.hub import HubServer
from tests.servers.kube import KubeServer
from tests.serving_models import CONFIG

INSTANCE = "node.kubernetes.io/instance-type"
WEIGHTS = 47_000_000_000
CATALOG: dict[str, Any] = {"name": "tiny", "source": f"hf://{REPO}", "version": "1"}


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    files = write(tmp_path / "model", tiny(config=json.dumps(CONFIG).encode()))
    with HubServer({REPO: files}) as server:
        yield server


@pytest.fixture
def huge() -> Iterator[HubServer]:
    """Return a Hub whose weights are of the predecessor's size; they are never sent."""
    files: dict[str, Any] = {**tiny(config=json.dumps(CONFIG).encode())}
    files["model.safetensors"] = WEIGHTS
    with HubServer({REPO: files}) as server:
        yield server


def catalog(folder: Path, **serving: Any) -> str:
    (folder / "tiny.yaml").write_text(json.dumps({**CATALOG, "serving": serving}))
    return "tiny.yaml"


def test_a_plan_says_whether_the_model_fits(tmp_path: Path, huge: HubServer) -> None:
    selector = {INSTANCE: "g6.12xlarge"}
    two = catalog(tmp_path, gpus=2, memory="96Gi", node_selector=selector)
    shown = modelcar(tmp_path, "plan", two, HF_ENDPOINT=huge.url)
    listed = told(modelcar(tmp_path, "plan", two, "--json", HF_ENDPOINT=huge.url))
    four = catalog(tmp_path, gpus=4, memory="96Gi", node_selector=selector)
    fits = told(modelcar(tmp_path, "plan", four, "--json", HF_ENDPOINT=huge.url))

    assert "does not fit on 2 x L4 (g6.12xlarge)" in shown.stdout.splitlines()[0]
    assert shown.stdout.splitlines()[1].startswith(
        "GPUs: does not fit on 2 x L4 (g6.12xlarge): 21.9 GiB of weights on each GPU, of 19.8 GiB; "
        "set serving.gpus and serving.tensor_parallel_size to 4 (weights 21.9 GiB a GPU"
    )
    assert (listed["fit"]["verdict"], listed["fit"]["least_parallel"]) == ("does not fit", 4)
    assert (fits["fit"]["verdict"], fits["fit"]["longest"]) == ("fits", 32768)
    assert fits["fit"]["kv"] == 40 * 1024


def test_an_architecture_that_is_not_known_says_so(tmp_path: Path) -> None:
    config = b'{"architectures": ["BertModel"]}'
    with HubServer({REPO: tiny(config=config)}) as hub:
        listed = told(modelcar(tmp_path, "plan", f"hf://{REPO}", "--json", HF_ENDPOINT=hub.url))
    assert listed["fit"]["verdict"] == "unknown"


@dataclass
class Cluster:
    """A namespace, and nodes that only its selector matches."""

    kube: KubeServer
    namespace: str

    @property
    def selector(self) -> dict[str, str]:
        return {"team": self.namespace}

    def node(self, instance: str, gpus: str, **spec: Any) -> None:
        labels = {**self.selector, INSTANCE: instance}
        name = f"{self.namespace}-{secrets.token_hex(2)}"
        self.kube.request("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
        # It comes with a taint that a controller would take away once its kubelet is ready.
        ready = {"spec": {"taints": None, **spec}}
        merge = "application/merge-patch+json"
        self.kube.request("PATCH", f"/api/v1/nodes/{name}", ready, merge)
        amounts = {"nvidia.com/gpu": gpus, "ephemeral-storage": "200Gi"}
        status = {"capacity": amounts, "allocatable": amounts}
        path = f"/api/v1/nodes/{name}/status"
        self.kube.request("PATCH", path, {"status": status}, merge)


@pytest.fixture
def cluster(kube: KubeServer) -> Cluster:
    namespace = f"fit-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    return Cluster(kube, namespace)


def test_nodes_are_read_where_they_may_be(cluster: Cluster) -> None:
    cluster.node("g6.4xlarge", "1")
    cluster.node("g6.4xlarge", "1")
    cluster.node("m5.large", "0")

    (found,) = kinds(matching_nodes(cluster.kube.client(), cluster.selector))
    assert (found.name, found.gpu.name, found.count) == ("g6.4xlarge", "L4", 1)
    assert matching_nodes(cluster.kube.client("pipeline"), cluster.selector) == ()


def test_what_does_not_fit_is_not_applied(tmp_path: Path, hub: HubServer, cluster: Cluster) -> None:
    cluster.node("g6.4xlarge", "1")
    taint = {"key": "team", "value": "b", "effect": "NoSchedule"}
    cluster.node("g6.12xlarge", "4", taints=[taint])  # it would fit there, and may not run there
    name = catalog(tmp_path, gpus=2, max_model_len=4096, node_selector=cluster.selector)
    build = ["build", name, "--to", "oci:image:1", "--base", "scratch", "--json"]
    image = told(modelcar(tmp_path, *build, HF_ENDPOINT=hub.url))["reference"]
    kubeconfig = str(cluster.kube.kubeconfig(namespace=cluster.namespace))
    done = modelcar(
        tmp_path, "deploy", name, "--image", image, HF_ENDPOINT=hub.url, KUBECONFIG=kubeconfig
    )

    refused(
        done,
        "deploying tiny on 2 x L4 (g6.4xlarge): it does not fit: 2 GPUs are asked for, and g6.4x",
        "set serving.gpus and serving.tensor_parallel_size to 1, or try with --ignore-fit",
    )
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{cluster.namespace}/inferenceservices"
    assert cluster.kube.request("GET", path)["items"] == []


def test_a_run_stops_before_a_byte_moves_when_it_would_not_fit(
    tmp_path: Path, huge: HubServer, cluster: Cluster
) -> None:
    selector = {INSTANCE: "g6.4xlarge"}
    name = catalog(tmp_path, memory="96Gi", node_selector=selector)
    site = {"hub": huge.url, "namespace": cluster.namespace, "oci_registry": "127.0.0.1:1/m"}
    (tmp_path / "site.yaml").write_text(json.dumps(site))
    done = modelcar(tmp_path, "run", name)

    refused(done, "it does not fit: 43.8 GiB of weights on each GPU, of 19.8 GiB")
    assert not [seen for seen in huge.requests if seen.target.endswith("model.safetensors")]
