"""A rolling update where GPUs are known to be spare, else the old one stops first."""

import secrets
from typing import Any

import pytest

from modelcar.errors import DeployError
from modelcar.values import Digest, ImageDigest, Model
from tests.gpu_pool import GPU, GpuPool
from tests.servers.kserve import MERGE, KServe
from tests.serving_models import IMAGE, quantized
from tests.serving_site import Site

ROLLING, RECREATE = "RollingUpdate", "Recreate"


class Pool(GpuPool):
    """Nodes with GPUs, and what runs on them."""

    def pod(self, node: str, phase: str = "Running", **requests: str) -> str:
        """Have a pod of another namespace hold resources on a node, or wait; return its path."""
        named = {"gpu": GPU, "cpu": "cpu", "memory": "memory"}
        resources = {"requests": {named[key]: text for key, text in requests.items()}}
        resources["limits"] = resources["requests"]
        container = {"name": "busy", "image": "busy", "resources": resources}
        name = f"busy-{secrets.token_hex(4)}"
        placed = {"nodeName": node} if node else {}
        body = {"metadata": {"name": name}, "spec": {**placed, "containers": [container]}}
        path = "/api/v1/namespaces/default/pods"
        self.kube.request("POST", path, body)
        self.kube.request("PATCH", f"{path}/{name}/status", {"status": {"phase": phase}}, MERGE)
        return f"{path}/{name}"


@pytest.fixture
def pool(site: Site) -> Pool:
    return Pool(site.server)


def strategy(site: Site) -> str:
    found: str = site.service()["spec"]["predictor"]["deploymentStrategy"]["type"]
    return found


def update(site: Site, pool: Pool, **serving: Any) -> str:
    """Deploy one image, then another; return the strategy of the update."""
    api = serving.pop("api", None)
    model: Model = quantized(node_selector=pool.selector, **serving)
    site.deploy(model)
    assert strategy(site) == RECREATE, "there is nothing to roll over"
    site.deploy(model, ImageDigest(IMAGE.name, Digest("cd" * 32)), api=api)
    return strategy(site)


@pytest.mark.usefixtures("kserve")
def test_a_free_node_lets_the_new_one_start_beside_the_old(site: Site, pool: Pool) -> None:
    pool.pod(pool.node("busy"), gpu="1")
    pool.pod(pool.node("over"), "Succeeded", gpu="1")

    assert update(site, pool) == ROLLING


@pytest.mark.usefixtures("kserve")
def test_what_is_free_later_is_no_reason_to_write(site: Site, pool: Pool) -> None:
    node = pool.node("free")
    update(site, pool)
    version = site.service()["metadata"]["resourceVersion"]
    pool.pod(node, gpu="1")
    model = quantized(node_selector=pool.selector)

    site.deploy(model, ImageDigest(IMAGE.name, Digest("cd" * 32)))
    assert site.service()["metadata"]["resourceVersion"] == version

    site.deploy(model)
    assert strategy(site) == RECREATE


def test_one_that_does_not_come_up_stops_the_old_one_the_next_time(
    site: Site, pool: Pool, kserve: KServe
) -> None:
    pool.node("free")
    update(site, pool)
    assert strategy(site) == ROLLING
    kserve.go.clear()
    model, third = quantized(node_selector=pool.selector), Digest("ef" * 32)
    for expected in (ROLLING, RECREATE):
        with pytest.raises(DeployError):
            site.deploy(model, ImageDigest(IMAGE.name, third), timeout=1.0)
        assert strategy(site) == expected
    kserve.go.set()


@pytest.mark.usefixtures("kserve")
def test_gpus_that_another_waits_for_are_not_spare(site: Site, pool: Pool) -> None:
    pool.node("free")
    waiting = pool.pod("", "Pending", gpu="1")
    try:
        assert update(site, pool) == RECREATE
    finally:
        site.server.request("DELETE", waiting)


@pytest.mark.usefixtures("kserve")
@pytest.mark.parametrize("taken", [{"gpu": "1"}, {"cpu": "61"}, {"memory": "500Gi"}])
def test_a_node_without_room_has_the_old_one_stop_first(
    site: Site, pool: Pool, taken: dict[str, str]
) -> None:
    pool.pod(pool.node("busy"), **taken)
    assert update(site, pool) == RECREATE


@pytest.mark.usefixtures("kserve")
@pytest.mark.parametrize(
    ("spec", "serving"),
    [
        ({"unschedulable": True}, {}),
        ({"taints": [{"key": "team", "value": "b", "effect": "NoSchedule"}]}, {}),
        (
            {"taints": [{"key": "team", "value": "b", "effect": "NoSchedule"}]},
            {"tolerations": ("team=a", "team:NoExecute", "other")},
        ),
        ({}, {"hardware_profile": "l4"}),
    ],
)
def test_a_node_that_may_not_take_it_does_not_count(
    site: Site, pool: Pool, spec: dict[str, Any], serving: dict[str, Any]
) -> None:
    pool.node("free", **spec)
    assert update(site, pool, **serving) == RECREATE


@pytest.mark.usefixtures("kserve")
@pytest.mark.parametrize("toleration", ["team", "team=b", "team=b:NoSchedule"])
def test_a_taint_that_is_tolerated_does_not_matter(site: Site, pool: Pool, toleration: str) -> None:
    pool.node("free", taints=[{"key": "team", "value": "b", "effect": "NoSchedule"}])
    assert update(site, pool, tolerations=(toleration,)) == ROLLING


@pytest.mark.usefixtures("kserve")
@pytest.mark.parametrize(
    ("name", "hard", "used", "kind"),
    [
        (f"requests.{GPU}", "2", "1", ROLLING),
        (f"requests.{GPU}", "2", "2", RECREATE),
        ("requests.memory", "80Gi", "32Gi", ROLLING),
        ("limits.memory", "80Gi", "32Gi", RECREATE),
        ("pods", "9", "9", RECREATE),
    ],
)
def test_a_quota_must_leave_room_for_a_second_one(
    site: Site, pool: Pool, name: str, hard: str, used: str, kind: str
) -> None:
    pool.node("free")
    path = f"/api/v1/namespaces/{site.namespace}/resourcequotas"
    body = {"metadata": {"name": "some"}, "spec": {"hard": {name: hard}}}
    site.server.request("POST", path, body)
    status = {"status": {"hard": {name: hard}, "used": {name: used}}}
    site.server.request("PATCH", f"{path}/some/status", status, MERGE)
    assert update(site, pool, memory="32Gi", memory_limit="64Gi") == kind


@pytest.mark.usefixtures("kserve")
@pytest.mark.parametrize(("used", "kind"), [("1", ROLLING), ("2", RECREATE)])
def test_a_quota_over_several_namespaces_counts_too(
    site: Site, pool: Pool, used: str, kind: str
) -> None:
    pool.node("free")
    total = {"hard": {f"requests.{GPU}": "2"}, "used": {f"requests.{GPU}": used}}
    path = f"/apis/quota.openshift.io/v1/namespaces/{site.namespace}/appliedclusterresourcequotas"
    head = {"apiVersion": "quota.openshift.io/v1", "kind": "AppliedClusterResourceQuota"}
    body = {**head, "metadata": {"name": "team"}, "status": {"total": total}}
    site.server.request("POST", path, body)
    assert update(site, pool) == kind


def test_what_may_not_be_read_is_not_spare(site: Site, pool: Pool) -> None:
    pool.node("free")
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    site.server.grant(site.namespace, everything)
    with KServe(site.server, site.namespace, site.vllm.url):
        assert update(site, pool, api=site.server.client("pipeline")) == RECREATE
