"""What the report of a run says that did only a part: our code failed, skopeo, or the pod."""

import dataclasses
import html

import pytest

from tests.internal_site import MODELS
from tests.pipeline.host_runner import Run, Trouble, run
from tests.pipeline.whole_cluster import FIRST, NAME, WholeCluster
from tests.servers.argo import EVICTED, IMAGE_PULL_BACK_OFF, OOM_KILLED, Mishap

QUICK = {"deploy_model": "false", "model_registry_url": ""}


def _both(done: Run) -> tuple[str, str]:
    """Return what the run's report says, as a page and as Markdown, each on one line."""
    page, summary = (done.output("report", name) for name in ("page", "summary"))
    return html.unescape(" ".join(page.split())), " ".join(summary.replace("\\", "").split())


@pytest.fixture(scope="module")
def built(cluster: WholeCluster) -> Run:
    """Return a run after which the image stands, so that others come to their point fast."""
    done = cluster.run("built", mirror_to="", **QUICK)
    assert done.succeeded, done.log[-4000:]
    return done


def test_what_was_not_asked_for_is_skipped(cluster: WholeCluster, built: Run) -> None:
    summary = built.output("report", "summary")

    assert "| Mirrored |  | skipped |" in summary
    assert cluster.record("built", "register")["status"] == "skipped"
    assert cluster.record("built", "deploy")["status"] == "rendered"
    assert built.output("report", "page").startswith("<!doctype html>")


def test_a_stage_that_fails_names_cause_and_remedy(cluster: WholeCluster) -> None:
    done = cluster.run("failing", hf_repo="example/missing", **QUICK)

    assert not done.succeeded
    assert done.started == {"plan", "report"}
    for text in _both(done):
        assert "there is no such repository" in text
        assert "check the name" in text
    assert cluster.namespace.workflow("failing")["status"]["phase"] == "Failed"


def test_without_the_secret_of_the_registry_it_says_which_one(cluster: WholeCluster) -> None:
    without = dataclasses.replace(
        cluster.cluster, secrets={"odh-trusted-ca-bundle": cluster.trusted}
    )
    fresh = {**cluster.arguments, **QUICK, "registry": f"{cluster.internal.images}/closed"}
    fresh["workdir"] = str(cluster.claim / "closed")
    before = cluster.hub.fetched(FIRST)

    done = run(cluster.pipeline, without, "secretless", None, **fresh)

    assert not done.succeeded
    assert cluster.hub.fetched(FIRST) == before
    for text in _both(done):
        assert "registry-auth" in text


def test_the_words_of_skopeo_are_found(cluster: WholeCluster, built: Run) -> None:
    # The same server by a name for which the secret has no password.
    elsewhere = f"{MODELS}:{cluster.internal.oci_registry.port}/mirror"

    done = cluster.run("unmirrored", mirror_to=elsewhere, skip_preflight="true", **QUICK)

    assert not done.succeeded
    assert "register" not in done.started
    pod = cluster.namespace.pods("unmirrored")["root.exit-handler-1.mirror.executor(1)"]
    for text in _both(done):
        assert "the pod of mirror" in text
        assert f"read `oc logs -n {cluster.namespace.name} {pod['metadata']['name']}" in text
    log = (cluster.namespace.logs / pod["metadata"]["name"]).read_text()
    assert "authentication required" in log


@pytest.mark.parametrize(
    ("task", "mishap", "parts"),
    [
        ("mirror", IMAGE_PULL_BACK_OFF, ("its image cannot be pulled", "check the image's name")),
        ("build", OOM_KILLED, ("for want of memory (limit ", "raise its limit")),
        ("plan", EVICTED, ("it was evicted", "low on resource")),
    ],
    ids=["no image", "no memory", "evicted"],
)
def test_what_befell_the_pod_is_told(
    cluster: WholeCluster, built: Run, task: str, mishap: Mishap, parts: tuple[str, str]
) -> None:
    name = f"lost-{task}"
    done = cluster.run(name, Trouble(mishaps={task: mishap}), mirror_to="", **QUICK)

    assert not done.succeeded
    assert task not in done.started
    assert "report" in done.started
    for text in _both(done):
        assert f"the pod of {task}" in text
        for part in parts:
            assert part in text
    assert cluster.leases == {}
    assert f"{NAME} " in done.output("report", "summary")
