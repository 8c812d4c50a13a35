"""A volume claim without room: what the run says, and that it goes on once there is some."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cage import refusal
from tests.pipeline import whole_cluster
from tests.pipeline.host_runner import Run
from tests.pipeline.whole_cluster import FIRST, SECOND, SHARD, WholeCluster, lies_there
from tests.servers.kube import KubeServer
from tests.small_volume import SmallVolume, small_volume

QUICK = {"deploy_model": "false", "model_registry_url": "", "mirror_to": ""}


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallVolume]:
    if why := refusal():
        pytest.skip(f"only root mounts a small volume: {why}")
    folder = tmp_path_factory.mktemp("small") / "claim"
    folder.mkdir()
    with small_volume(folder, SHARD) as found:
        yield found


@pytest.fixture(scope="module")
def cluster(
    kube: KubeServer, runtime: Path, volume: SmallVolume, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WholeCluster]:
    """Return a cluster whose volume claim has little room."""
    folder = volume.folder.parent
    with whole_cluster.start(kube, runtime / "modelcar.yaml", folder) as found:
        yield whole_cluster.caged(found, tmp_path_factory.mktemp("root"))


@pytest.fixture(scope="module")
def filled(cluster: WholeCluster, volume: SmallVolume) -> Run:
    """Return a run in whose download the volume became full; afterwards it has room again."""
    volume.resize(4 * SHARD)
    fillers: list[Path] = []

    def fill() -> None:
        lies_there(cluster.first_shard(cluster.work))
        fillers.append(volume.fill())

    cluster.hub.upon(SECOND, fill)
    done = cluster.run("filled", **QUICK)
    fillers[0].unlink()
    return done


def test_before_a_byte_moves_it_is_said_how_much_room_is_missing(cluster: WholeCluster) -> None:
    done = cluster.run("small", **QUICK)

    assert not done.succeeded
    assert done.started == {"plan", "download", "report"}
    for text in (done.log, done.output("report", "summary")):
        assert "800.2 kB are still to be downloaded, and 3" in text
        assert "take a larger volume claim" in text
    assert cluster.hub.fetched(FIRST) == 0


def test_a_volume_that_becomes_full_is_named_by_the_report(filled: Run) -> None:
    assert not filled.succeeded
    assert "No space left on device" in filled.log
    assert "No space left on device" in filled.output("report", "summary")


def test_with_room_again_the_run_goes_on_where_it_stopped(
    cluster: WholeCluster, filled: Run
) -> None:
    fetched = cluster.hub.fetched(FIRST)

    done = cluster.run("freed", **QUICK)

    assert done.succeeded, done.log[-4000:]
    assert cluster.hub.fetched(FIRST) == fetched == SHARD
    assert cluster.record("freed", "build")["status"] == "succeeded"
