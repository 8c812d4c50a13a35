import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kube_session import kube_session
from tests.pipeline import whole_cluster
from tests.pipeline.compiled_file import ROOT
from tests.pipeline.whole_cluster import WholeCluster
from tests.servers.kube import KubeServer

RUNTIME = f"registry.example.com/team/modelcar@sha256:{'ab' * 32}"


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """Return a kube-apiserver that knows what OpenShift AI serves."""
    with kube_session(tmp_path_factory.mktemp("kube")) as server:
        yield server


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of pipelines that are compiled for a runtime image."""
    folder = tmp_path_factory.mktemp("compiled")
    argv = ["-m", "scripts.compile", "--runtime-image", RUNTIME, "--out", str(folder)]
    subprocess.run([sys.executable, *argv], cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def cluster(
    kube: KubeServer, runtime: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WholeCluster]:
    """Return a namespace with all servers around it, where tasks run in the runtime image."""
    folder = tmp_path_factory.mktemp("whole")
    with whole_cluster.start(kube, runtime / "modelcar.yaml", folder) as found:
        yield whole_cluster.caged(found, tmp_path_factory.mktemp("root"))
