import itertools
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcar.oci.reference import DigestReference
from tests import kube_session, ready_place
from tests.ready_place import Place
from tests.servers import busybox_base
from tests.servers.docker_registry import DockerRegistry
from tests.servers.kserve import KServe
from tests.servers.kube import KubeServer
from tests.servers.silent import SilentServer
from tests.servers.vllm import VllmServer
from tests.serving_site import NAME, Listener, Site


@pytest.fixture(scope="session")
def kube_parts() -> tuple[Path, Path]:
    """Return the folders of kube-apiserver and of KServe's definitions."""
    return kube_session.kube_parts()


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """Return a kube-apiserver that knows InferenceServices."""
    with kube_session.kube_session(tmp_path_factory.mktemp("kube")) as server:
        yield server


@pytest.fixture(scope="session")
def oci_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """Return an OCI registry that takes anything from anyone."""
    with DockerRegistry(tmp_path_factory.mktemp("oci-registry")) as server:
        yield server


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> DigestReference:
    """Return a base image of busybox, in an OCI layout."""
    return busybox_base.make(tmp_path_factory.mktemp("base"))


_numbers = itertools.count(1)


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    """Return a server that takes connections and never answers."""
    with SilentServer() as server:
        yield server


@pytest.fixture
def repository() -> str:
    """Return the path of a repository that no other test uses."""
    return f"models/test-{next(_numbers)}"


@pytest.fixture
def site(kube: KubeServer) -> Iterator[Site]:
    """Return a fresh namespace in which nothing becomes ready by itself."""
    namespace = f"ml-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    with VllmServer(NAME, "mistral-24b") as vllm:
        found = Site(kube, namespace, vllm)
        found.add_runtime()
        yield found


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as found:
        yield found


@pytest.fixture
def kserve(site: Site) -> Iterator[KServe]:
    with KServe(site.server, site.namespace, site.vllm.url) as controller:
        yield controller


@pytest.fixture(scope="session")
def image(base: DigestReference, oci_registry: DockerRegistry) -> str:
    """Return an image that stands at the OCI registry, by its digest."""
    repository = f"{oci_registry.host}/base/busybox"
    places = [f"{base.location}:{base.tag}", f"docker://{repository}:1"]
    options = ["--quiet", "--preserve-digests", "--dest-tls-verify=false"]
    subprocess.run(["skopeo", "copy", *options, *places], check=True)
    return f"{repository}@{base.digest}"


@pytest.fixture
def place(
    kube: KubeServer, oci_registry: DockerRegistry, image: str, tmp_path: Path
) -> Iterator[Place]:
    """Return a namespace that is ready for a model."""
    with ready_place.ready(kube, oci_registry, image, tmp_path) as found:
        yield found
