"""The API server that the tests of one session share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import openshift
from tests.servers.kube import KubeServer, kube_server


def kube_parts() -> tuple[Path, Path]:
    """Return the folders of kube-apiserver and of KServe's definitions; skip without them."""
    assets, definitions = os.environ.get("KUBEBUILDER_ASSETS"), os.environ.get("KSERVE_CRDS")
    if not assets:
        pytest.skip("KUBEBUILDER_ASSETS does not name a folder with etcd and kube-apiserver")
    if not definitions:
        pytest.skip("KSERVE_CRDS does not name a folder with KServe's definitions")
    return Path(assets), Path(definitions)


@contextmanager
def kube_session(folder: Path) -> Iterator[KubeServer]:
    """Run an API server that knows what OpenShift AI serves."""
    assets, definitions = kube_parts()
    with kube_server(assets, folder) as server:
        openshift.install(server, definitions)
        yield server
