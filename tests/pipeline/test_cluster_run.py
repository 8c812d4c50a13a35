"""The pipeline on a whole cluster's worth of servers: to a Ready endpoint, by any of its forms."""

import dataclasses
import json
from typing import Any

import pytest

from tests.pipeline.compiled_file import SHIPPED
from tests.pipeline.host_runner import Run
from tests.pipeline.whole_cluster import FIRST, NAME, SECOND, SHARD, VERSION, WholeCluster
from tests.servers.kserve import services

LINKS = {
    "registeredModelName",
    "registeredModelId",
    "modelVersionName",
    "modelVersionId",
    "modelRegistryName",
}


@pytest.fixture(scope="module")
def first(cluster: WholeCluster) -> Run:
    """Return a run of the file that is shipped, which installs what it needs."""
    done = dataclasses.replace(cluster, pipeline=SHIPPED, cage=None).run("first")
    assert done.succeeded, done.log[-4000:]
    return done


def _service(cluster: WholeCluster) -> dict[str, Any]:
    path = f"{services(cluster.namespace.name)}/{NAME}"
    return dict(cluster.serving.server.request("GET", path))


def test_one_digest_stands_everywhere_and_answers(cluster: WholeCluster, first: Run) -> None:
    digest = cluster.digest_at(f"models/{NAME}")

    assert cluster.digest_at(f"mirror/{NAME}") == digest == first.output("mirror", "digest")
    (artifact,) = cluster.internal.model_registry.store.all("artifact")
    assert artifact["uri"].endswith(f"/models/{NAME}@{digest}")
    service = _service(cluster)
    assert service["spec"]["predictor"]["model"]["storageUri"].endswith(digest)
    assert service["status"]["conditions"][0] == {"type": "Ready", "status": "True"}
    for stage in ("plan", "download", "build", "register", "deploy", "verify"):
        assert cluster.record("first", stage)["status"] == "succeeded"
    assert cluster.hub.fetched(FIRST) == cluster.hub.fetched(SECOND) == SHARD


def test_the_report_tells_of_every_stage(cluster: WholeCluster, first: Run) -> None:
    digest = cluster.digest_at(f"models/{NAME}")
    page, summary = (first.output("report", name) for name in ("page", "summary"))

    for text in (page, summary):
        assert f"{NAME} {VERSION}" in text
        assert digest in text
        # mirror runs no code of ours: how long it took is read from its pod.
        for stage in ("plan", "download", "build", "mirror", "register", "deploy", "verify"):
            assert stage in text


def test_each_task_has_a_pod_and_the_lease_is_given_back(cluster: WholeCluster, first: Run) -> None:
    pods = cluster.namespace.pods("first")
    inside = ("plan", "download", "build", "mirror", "register", "deploy", "verify")
    nodes = {f"root.exit-handler-1.{task}" for task in inside}
    nodes.add("root.exit-handler-1.onExit.report")

    made = {f"{node}.executor(0)" for node in nodes} | {f"{node}-driver" for node in nodes}
    assert pods.keys() == made
    assert {pod["status"]["phase"] for pod in pods.values()} == {"Succeeded"}
    assert cluster.namespace.workflow("first")["status"]["phase"] == "Succeeded"
    assert cluster.leases == {}


def test_each_task_says_what_it_takes(cluster: WholeCluster, first: Run) -> None:
    pods = cluster.namespace.pods("first")
    for node in pods.keys() - {node for node in pods if node.endswith("-driver")}:
        (main,) = (one for one in pods[node]["spec"]["containers"] if one["name"] == "main")
        for kind in ("requests", "limits"):
            assert main["resources"][kind].keys() == {"cpu", "memory"}, node


def test_what_a_task_leaves_for_its_pod_is_short(first: Run) -> None:
    left = {task: first.left[task] for task in first.left if task not in ("mirror", "report")}
    for task, message in left.items():
        records = [json.loads(line) for line in message.splitlines()]
        assert records, task
        assert all(record["status"] == "succeeded" for record in records)
        assert len(message.encode()) < 4096


def test_the_registered_model_is_linked_from_the_run(cluster: WholeCluster, first: Run) -> None:
    outputs = json.loads(first.output("register", "executor_output.json"))
    (found,) = (
        one["metadata"]
        for artifact in outputs["artifacts"].values()
        for one in artifact["artifacts"]
        if "registeredModelName" in one.get("metadata", {})
    )
    (model,) = cluster.internal.model_registry.store.all("model")
    (version,) = cluster.internal.model_registry.store.all("version")

    assert found.keys() >= LINKS
    assert all(isinstance(found[name], str) for name in LINKS)
    assert (found["registeredModelName"], found["registeredModelId"]) == (NAME, model["id"])
    assert (found["modelVersionName"], found["modelVersionId"]) == (VERSION, version["id"])


def test_the_runtime_image_finds_all_done_and_touches_nothing(
    cluster: WholeCluster, first: Run
) -> None:
    before, service = cluster.changes(), _service(cluster)

    second = cluster.run("second")

    assert second.succeeded, second.log[-4000:]
    after = cluster.changes()
    assert (after.weights, after.uploads) == (before.weights, before.uploads)
    assert after.registered == before.registered
    # The lease is taken and given back; no other object is written.
    assert after.objects[len(before.objects) :] == ["update persistentvolumeclaims"] * 2
    assert _service(cluster) == service
    assert cluster.record("second", "download")["result"]["downloaded"] == 0
    assert cluster.record("second", "build")["result"]["changed"] is False


def test_overlapped_it_becomes_the_same_image(cluster: WholeCluster, first: Run) -> None:
    # Nothing is known of earlier layers, neither in the work folder nor at the OCI registry.
    fresh = {"registry": f"{cluster.internal.images}/streamed", "model_registry_url": ""}
    fresh["workdir"] = str(cluster.claim / "overlapped")
    shipped = SHIPPED.with_name("modelcar-overlapped.yaml")
    before = cluster.hub.fetched(SECOND)

    done = dataclasses.replace(cluster, pipeline=shipped, cage=None).run("overlapped", **fresh)

    assert done.succeeded, done.log[-4000:]
    digest = cluster.digest_at(f"models/{NAME}")
    assert cluster.digest_at(f"streamed/{NAME}") == digest
    assert cluster.hub.fetched(SECOND) == before + SHARD
    assert _service(cluster)["spec"]["predictor"]["model"]["storageUri"].endswith(digest)
    assert "transfer" in done.started
    assert "build" not in done.started


def test_a_task_sees_the_volume_only_where_it_mounts_it(cluster: WholeCluster, first: Run) -> None:
    if cluster.cage is None:
        pytest.skip("without root no task is kept from what it does not mount")
    outside = dataclasses.replace(cluster.cage, volume=cluster.cluster.folder)
    inside = dataclasses.replace(outside, more=[cluster.claim])

    assert inside.run("ls", str(cluster.work)).returncode == 0
    assert outside.run("ls", str(cluster.work)).returncode != 0
    pods = cluster.namespace.pods("first")
    mounting = {node.split(".")[2] for node in pods if pods[node]["spec"].get("volumes")}
    assert mounting == {"download", "build", "register", "deploy", "verify"}
