"""The servers that the campaigns share, and what a run without a fault gives."""

import subprocess
from collections.abc import Generator, Iterator

import pytest

from tests.byte_path import REPO
from tests.campaigns.figures import note
from tests.campaigns.place import Servers, files
from tests.kube_session import kube_session
from tests.servers import busybox_base
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.kube import KubeServer
from tests.servers.ports import kept_ports


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note how each test ended, for the figures."""
    report = yield
    if report.when == "call" or not report.passed:
        found = {"file": item.path.name, "seconds": report.duration}
        note("tests", item.name, outcome=report.outcome, **found)
    return report


@pytest.fixture(scope="session")
def kube(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubeServer]:
    """Return a kube-apiserver that knows what OpenShift AI serves."""
    with kube_session(tmp_path_factory.mktemp("kube")) as server:
        yield server


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("campaign")
    layout = busybox_base.make(folder / "base")
    with (
        HubServer({REPO: files()}) as hub,
        DockerRegistry(folder / "first") as oci_registry,
        DockerRegistry(folder / "second") as mirror,
        kept_ports(1) as (port,),
    ):
        places = [f"{layout.location}:{layout.tag}", f"docker://{oci_registry.host}/base/busybox:1"]
        options = ["--quiet", "--preserve-digests", "--dest-tls-verify=false"]
        subprocess.run(["skopeo", "copy", *options, *places], check=True)
        base = f"base/busybox@{layout.digest}"
        yield Servers(hub, oci_registry, mirror, str(layout), base, port)
