"""Pods that have the nodes pull an image first, on a real API server; the kubelet is played."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from modelcar.errors import DeployError
from modelcar.serving.pre_pull import pre_pull
from modelcar.serving.pull_pods import forgotten, node_of
from modelcar.values import Digest, ImageDigest
from tests.byte_path import modelcar
from tests.gpu_pool import GpuPool
from tests.servers.kserve import MERGE, KServe
from tests.servers.kube import KubeServer
from tests.serving_models import IMAGE, quantized
from tests.serving_site import NAME, Listener, Site

OTHER = ImageDigest(IMAGE.name, Digest("cd" * 32))
PULLED = {"terminated": {"exitCode": 0, "reason": "Completed"}}
POD_RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "list", "delete", "get"]}


@dataclass
class Pool(GpuPool):
    """Nodes, and the pods that pull onto them."""

    site: Site
    listener: Listener
    seen: list[dict[str, Any]] = field(default_factory=list)

    def pull(self, image: ImageDigest = IMAGE, **options: Any) -> tuple[str, ...]:
        profile = options.pop("profile", "")
        chosen = {"node_selector": self.selector, "hardware_profile": profile}
        model = quantized(**chosen, pull_secret="quay")
        api = options.pop("api", None) or self.kube.client()
        given = {"timeout": 20.0, "settle": 1.0, **options}
        return pre_pull(api, model, image, self.site.namespace, **given)

    def pods(self) -> list[dict[str, Any]]:
        listed: dict[str, Any] = self.site.server.request("GET", self.site.pods)
        return [pod for pod in listed["items"] if "-pull-" in pod["metadata"]["name"]]

    def set(self, state: dict[str, Any], name: str = "pull", **status: Any) -> Callable[[], None]:
        """Return what writes `state` as that of every pod that pulls."""
        fixed = {"name": name, "image": "x", "imageID": "", "ready": False, "restartCount": 0}

        def write() -> None:
            self.seen = self.pods()
            for pod in self.seen:
                body = {"status": {"containerStatuses": [{**fixed, "state": state}], **status}}
                path = f"{self.site.pods}/{pod['metadata']['name']}/status"
                self.site.server.request("PATCH", path, body, MERGE)

        return write


@pytest.fixture
def pool(site: Site, listener: Listener) -> Pool:
    return Pool(site.server, site, listener)


def test_every_node_that_may_serve_pulls_the_image(pool: Pool) -> None:
    taint = {"key": "team", "value": "b", "effect": "NoSchedule"}
    gpu = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    nodes = (pool.node("a"), pool.node("b", taints=[gpu]))
    pool.node("full", "0")
    pool.node("closed", unschedulable=True)
    pool.node("theirs", taints=[taint])
    pool.listener.upon("0 of 2 nodes have the image", pool.set(PULLED))

    assert pool.pull() == nodes

    assert pool.pods() == []
    assert [pod["spec"]["containers"][0]["image"] for pod in pool.seen] == [str(IMAGE)] * 2
    spec = min(pool.seen, key=node_of)["spec"]
    assert spec["imagePullSecrets"] == [{"name": "quay"}]
    assert "nvidia.com/gpu" not in spec["containers"][0]["resources"]["limits"]
    assert spec["activeDeadlineSeconds"] == 20
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    chosen = {"key": "metadata.name", "operator": "In", "values": [nodes[0]]}
    assert terms["nodeSelectorTerms"] == [{"matchFields": [chosen]}]


@pytest.mark.parametrize(
    "state",
    [{"running": {}}, {"waiting": {"reason": "CreateContainerError"}}],
)
def test_a_container_that_may_start_has_its_image(pool: Pool, state: dict[str, Any]) -> None:
    node = pool.node("a")
    pool.listener.upon("0 of 1 nodes", pool.set(state))
    assert pool.pull() == (node,)


@pytest.mark.parametrize(
    ("state", "status", "cause"),
    [
        (
            {"waiting": {"reason": "ErrImagePull", "message": "unauthorized"}},
            {},
            "the node may not pull the image",
        ),
        (
            # What a kubelet writes of a container that it never started.
            {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}},
            {"phase": "Failed", "reason": "Evicted", "message": "DiskPressure"},
            "the node's disk is too small",
        ),
        (
            {"waiting": {"reason": "ContainerCreating"}},
            {"phase": "Failed", "reason": "OutOfpods", "message": "110 of 110"},
            "-a ended: OutOfpods: 110 of 110; deploy again",
        ),
        ({"waiting": {"reason": "ContainerCreating"}}, {}, r"-a did not pull it in time; wait"),
    ],
)
def test_a_node_that_cannot_pull_is_told(
    pool: Pool, state: dict[str, Any], status: dict[str, Any], cause: str
) -> None:
    pool.node("a")
    pool.listener.upon("0 of 1 nodes", pool.set(state, **status))
    with pytest.raises(DeployError, match=cause):
        pool.pull(timeout=4.0)
    assert pool.pods() == []


def test_a_pod_that_someone_deletes_ends_the_wait(pool: Pool) -> None:
    pool.node("a")

    def delete() -> None:
        (pod,) = pool.pods()
        path = f"{pool.site.pods}/{pod['metadata']['name']}?gracePeriodSeconds=0"
        pool.site.server.request("DELETE", path)

    pool.listener.upon("0 of 1 nodes", delete)
    with pytest.raises(DeployError, match=r"its pod on pool-.*-a was deleted; deploy again"):
        pool.pull()


def full(pool: Pool, *nodes: str) -> Callable[[], None]:
    """Return what has the scheduler find no room on these nodes, and the others pull."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    status = {"conditions": [{**condition, "message": "0/1 nodes are available: Too many pods."}]}

    def write() -> None:
        pool.set(PULLED)()
        for pod in pool.seen:
            if node_of(pod) in nodes:
                path = f"{pool.site.pods}/{pod['metadata']['name']}/status"
                body = {"status": {**status, "containerStatuses": None}}
                pool.kube.request("PATCH", path, body, MERGE)

    return write


def test_a_node_without_room_is_left_out(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    busy, free = pool.node("a"), pool.node("b")
    pool.listener.upon("0 of 2 nodes", full(pool, busy))
    assert pool.pull() == (free,)
    assert f"{busy} is left out: 0/1 nodes are available: Too many pods." in caplog.text


def test_no_node_with_room_is_told(pool: Pool) -> None:
    busy = pool.node("a")
    pool.listener.upon("0 of 1 nodes", full(pool, busy))
    with pytest.raises(DeployError, match="no node has room for the pod that pulls; leave out"):
        pool.pull()


def test_another_container_in_the_pod_does_not_count(pool: Pool) -> None:
    pool.node("a")
    pool.listener.upon("0 of 1 nodes", pool.set({"running": {}}, name="istio-proxy"))
    with pytest.raises(DeployError, match="did not pull it in time"):
        pool.pull(timeout=3.0)


def test_where_a_hardware_profile_chooses_only_those_pull_that_serve(pool: Pool) -> None:
    pool.node("a")
    assert pool.pull(profile="l4") == ()


def test_what_another_run_made_stays_until_its_deadline(pool: Pool) -> None:
    pool.node("a")
    pool.listener.upon("0 of 1 nodes", pool.set(PULLED, phase="Succeeded"))
    pool.pull()
    (left,) = pool.seen
    for key in ("resourceVersion", "uid"):
        del left["metadata"][key]
    left["metadata"]["name"] = f"{NAME}-pull-left"
    left["spec"]["activeDeadlineSeconds"] = 10
    pool.listener.upon("0 of 1 nodes", pool.set(PULLED, phase="Succeeded"))
    pool.site.server.request("POST", pool.site.pods, left)
    pool.pull()
    assert [pod["metadata"]["name"] for pod in pool.pods()] == [left["metadata"]["name"]]

    made = datetime.fromisoformat(pool.pods()[0]["metadata"]["creationTimestamp"])
    assert not forgotten(pool.pods()[0], made + timedelta(seconds=9))
    assert forgotten(pool.pods()[0], made + timedelta(seconds=11))


def test_without_a_look_at_nodes_those_pull_that_serve_now(pool: Pool, kube: KubeServer) -> None:
    node = pool.node("a")
    pool.site.server.grant(pool.site.namespace, POD_RULE)
    api = kube.client("pipeline")
    assert pool.pull(api=api) == ()
    pool.site.add_pod({})
    pool.site.bind(node)
    pool.listener.upon("0 of 1 nodes", pool.set(PULLED))
    assert pool.pull(api=api) == (node,)


def test_what_serves_is_touched_only_when_the_image_is_there(pool: Pool, tmp_path: Path) -> None:
    pool.node("a")
    serving = {"gpus": 1, "max_model_len": 4096, "node_selector": pool.selector}
    entry = {"name": NAME, "source": "hf://example/tiny", "version": "1", "serving": serving}
    (tmp_path / "m.yaml").write_text(json.dumps(entry))
    kubeconfig = str(pool.site.server.kubeconfig(namespace=pool.site.namespace))

    def deploy(*options: str) -> Any:
        argv = ["deploy", "m.yaml", "--image", str(OTHER), "--timeout", "4", "--ignore-fit"]
        return modelcar(tmp_path, *argv, "--no-smoke", *options, KUBECONFIG=kubeconfig)

    with KServe(pool.site.server, pool.site.namespace, pool.site.vllm.url):
        pool.site.deploy(quantized(node_selector=pool.selector))
        version = pool.site.service()["metadata"]["resourceVersion"]
        late = deploy("--pre-pull")
        assert pool.site.service()["metadata"]["resourceVersion"] == version
        assert deploy().returncode == 0
        again = deploy("--pre-pull")

    assert late.returncode == 1
    assert "did not pull it in time" in late.stderr
    assert again.returncode == 0, "nothing is pulled for what stands already"
