"""Several runs on one volume claim: who may work there, and what becomes of a stopped one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pipeline.host_runner import Run, Trouble
from tests.pipeline.stopping import Stop
from tests.pipeline.whole_cluster import (
    FIRST,
    NAME,
    OTHER,
    SECOND,
    SHARD,
    VERSION,
    WholeCluster,
    lies_there,
)

SECONDS = 120.0
QUICK = {"deploy_model": "false", "model_registry_url": "", "mirror_to": ""}
OWN = f"{NAME} {VERSION}"


@contextmanager
def _held_up(cluster: WholeCluster) -> Iterator[None]:
    """Hold a run up in its download while the block lasts, which begins once it is there."""
    there, on = threading.Event(), threading.Event()

    def hold() -> None:
        there.set()
        on.wait(SECONDS)

    cluster.hub.upon(SECOND, hold)
    running = cluster.begin("holder", **QUICK)
    running.add_done_callback(lambda _: there.set())
    try:
        assert there.wait(SECONDS) and not running.done(), running
        yield
    finally:
        on.set()
    done = running.result(SECONDS)
    assert done.succeeded, done.log[-4000:]


def test_of_one_model_version_one_run_goes_on_at_a_time(cluster: WholeCluster) -> None:
    with _held_up(cluster):
        late = cluster.run("late", **QUICK)
        held = cluster.leases
        other = cluster.run("other", hf_repo=OTHER, model_version="2.0", **QUICK)
        still = cluster.leases

    assert not late.succeeded
    assert late.started == {"plan", "report"}
    why = f"lease of {OWN}: run holder holds it on the volume claim modelcar; wait until it ends"
    assert why in late.log
    assert "run holder holds it" in late.output("report", "summary")
    assert held == still == {OWN: "holder"}
    assert other.succeeded, other.log[-4000:]
    assert cluster.leases == {}


def test_a_lease_of_a_run_that_is_gone_is_taken_over(cluster: WholeCluster) -> None:
    cluster.let({OWN: "vanished", "another 1.0": "elsewhere"})

    done = cluster.run("heir", **QUICK)

    assert done.succeeded, done.log[-4000:]
    assert "run vanished, which is over, had not given its lease back" in done.log
    assert cluster.leases == {"another 1.0": "elsewhere"}
    cluster.let({})


@pytest.fixture
def fresh(cluster: WholeCluster, tmp_path: Path) -> dict[str, str]:
    """Return arguments of runs to which nothing is known of what others did."""
    place = tmp_path.name
    registry, work = f"{cluster.internal.images}/{place}", cluster.claim / place
    return {**QUICK, "registry": registry, "workdir": str(work)}


def _cut(cluster: WholeCluster, run_id: str, stop: Stop, arguments: dict[str, str]) -> Run:
    """Run, and stop it while the Hub is silent in the middle of the download."""

    def act() -> None:
        lies_there(cluster.first_shard(Path(arguments["workdir"])))
        stop()

    cluster.hub.upon(SECOND, act)
    done = cluster.run(run_id, Trouble(stop), **arguments)
    assert not done.succeeded
    assert cluster.namespace.workflow(run_id)["status"]["phase"] == "Failed"
    return done


def test_a_task_that_is_stopped_says_so(cluster: WholeCluster, fresh: dict[str, str]) -> None:
    done = _cut(cluster, "stopped", Stop(reports=True), fresh)

    assert done.started == {"plan", "download", "report"}
    assert "download failed: this task: it was stopped" in done.log
    assert "it was stopped" in done.left["download"]
    assert "it was stopped" in done.output("report", "summary")
    assert cluster.record("stopped", "download", Path(fresh["workdir"]))["status"] == "failed"
    assert cluster.leases == {}


def test_after_a_run_that_was_killed_the_next_goes_on(
    cluster: WholeCluster, fresh: dict[str, str]
) -> None:
    before = cluster.hub.fetched(FIRST)
    done = _cut(cluster, "killed", Stop(grace=0.0), fresh)
    assert done.started == {"plan", "download"}
    assert cluster.leases == {OWN: "killed"}

    after = cluster.run("next", **fresh)

    assert after.succeeded, after.log[-4000:]
    assert "run killed, which is over, had not given its lease back" in after.log
    assert cluster.hub.fetched(FIRST) == before + SHARD
    assert cluster.leases == {}
