"""skopeo before an OCI registry that says nothing, and after the death of who started it."""

import subprocess
import sys
from contextlib import suppress

import pytest

from modelcar import skopeo
from modelcar.errors import MirrorError
from modelcar.oci.reference import DigestReference, parse_image, parse_tag
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.silent import SilentServer

SOURCE = f"base/image@sha256:{'ab' * 32}"


def test_a_silent_oci_registry_is_given_up(
    silent: SilentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelcar.connections.MIRROR", 0.5)
    host = silent.host
    with pytest.raises(MirrorError) as caught:
        skopeo.mirror(parse_image(f"{host}/{SOURCE}"), parse_tag(f"{host}/mirror/image:1"))
    places = f"docker://{host}/{SOURCE} to docker://{host}/mirror/image:1"
    assert caught.value.what == f"skopeo copy of {places}"
    assert "no byte moved for 0.5 s" in caught.value.why
    assert caught.value.remedy == (
        "look at the log of the OCI registry that is silent, and at the network"
    )


def test_bytes_on_their_way_are_told_while_it_runs(
    oci_registry: DockerRegistry,
    base: DigestReference,
    repository: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its first upload waits until something was told."""
    monkeypatch.setattr("modelcar.skopeo_process._SHOW", 0.05)
    told: list[int] = []
    with FaultyProxy(oci_registry.host) as proxy:
        gate = proxy.stall_answer("POST", part="/blobs/uploads/")

        def moved(count: int) -> None:
            if gate.reached.is_set():
                told.append(count)
                gate.release()

        target = parse_tag(f"{proxy.host}/{repository}:1")
        mirrored = skopeo.mirror(base, target, moved)
    assert mirrored.digest == base.digest
    assert told
    assert min(told) >= 0


def test_skopeo_does_not_outlive_who_started_it(silent: SilentServer) -> None:
    host = silent.host
    program = (
        "from modelcar import skopeo\n"
        "from modelcar.oci.reference import parse_image, parse_tag\n"
        f"skopeo.mirror(parse_image('{host}/{SOURCE}'), parse_tag('{host}/mirror/image:1'))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program])
    with silent.accept() as connection:
        connection.settimeout(60)
        process.kill()
        process.wait()
        with suppress(ConnectionError):
            while connection.recv(4096):  # raises TimeoutError as long as skopeo lives
                pass
