import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.kube import KubeServer, kube_server

CRD = "serving.kserve.io_inferenceservices.crd.yaml"


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """Return a kube-apiserver that knows InferenceServices."""
    assets, definitions = os.environ.get("KUBEBUILDER_ASSETS"), os.environ.get("KSERVE_CRDS")
    if not assets:
        pytest.skip("KUBEBUILDER_ASSETS does not name a folder with etcd and kube-apiserver")
    if not definitions:
        pytest.skip("KSERVE_CRDS does not name a folder with KServe's definitions")
    with kube_server(Path(assets), tmp_path_factory.mktemp("kube")) as server:
        server.install_crd(Path(definitions) / CRD)
        yield server
