"""The OCI registry's client against networks, gateways and hosts that fail."""

import hashlib
import logging
from collections.abc import Iterator

import pytest

from modelcar.errors import OciRegistryError
from modelcar.oci.content import Content
from modelcar.oci.reference import Repository
from modelcar.oci.registry import OciRepository
from modelcar.values import Digest
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy

BLOB = bytes(range(256)) * 4096
DIGEST = Digest(hashlib.sha256(BLOB).hexdigest())


@pytest.fixture
def proxy(oci_registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyProxy]:
    monkeypatch.setattr("modelcar.retries.PAUSE", 0.001)
    with FaultyProxy(oci_registry.host) as server:
        yield server


def blocks(start: int) -> Iterator[bytes]:
    for at in range(start, len(BLOB), 65536):
        yield BLOB[at : at + 65536]


def push(proxy: FaultyProxy, path: str) -> Digest:
    return OciRepository(Repository(proxy.host, path)).push_blob(Content(len(BLOB), blocks))


def sent(proxy: FaultyProxy, method: str) -> list[int]:
    """Return the status of each request of `method`."""
    return [seen.status for seen in proxy.requests if seen.method == method]


@pytest.mark.parametrize("after", [0, 1, 300_000, len(BLOB) - 1])
def test_an_upload_that_broke_on_the_way_goes_on_in_its_session(
    proxy: FaultyProxy, oci_registry: DockerRegistry, repository: str, after: int
) -> None:
    proxy.drop("PATCH", after, times=2)

    assert push(proxy, repository) == DIGEST

    assert sent(proxy, "PATCH") == [202], "two broke before they were whole"
    assert len(sent(proxy, "POST")) == 1
    found = OciRepository(Repository(oci_registry.host, repository)).open_blob(DIGEST)
    assert b"".join(found) == BLOB


@pytest.mark.parametrize("method", ["POST", "PATCH", "PUT", "HEAD"])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_fault_that_passes_is_outlived(
    proxy: FaultyProxy, repository: str, method: str, status: int
) -> None:
    proxy.fail("", status, times=2, method=method)

    assert push(proxy, repository) == DIGEST

    assert OciRepository(Repository(proxy.host, repository)).has_blob(DIGEST)
    assert sent(proxy, method)[:2] == [status, status]


def test_the_pause_is_the_one_that_was_asked_for(
    proxy: FaultyProxy,
    repository: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("modelcar.retries.PAUSE", 60.0)
    proxy.fail("", 429, method="PATCH", headers={"Retry-After": "0"})

    with caplog.at_level(logging.WARNING, "modelcar"):
        assert push(proxy, repository) == DIGEST

    (message,) = caplog.messages
    assert "HTTP 429" in message
    assert message.endswith("try 2 of 5 in 0.0 s")


def test_a_fault_that_stays_ends_after_five_tries(proxy: FaultyProxy, repository: str) -> None:
    proxy.fail("", 503, times=99, method="PATCH")

    with pytest.raises(OciRegistryError, match="HTTP 503; it has a fault") as caught:
        push(proxy, repository)

    assert caught.value.status == 503
    assert sent(proxy, "PATCH") == [503] * 5


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        (403, "log in with the right to push: `skopeo login 127"),
        (413, "send smaller parts with --chunk-size 100Mi"),
    ],
)
@pytest.mark.parametrize("early", [False, True])
def test_a_refusal_is_one_clear_error(
    proxy: FaultyProxy, repository: str, status: int, remedy: str, early: bool
) -> None:
    if early:
        proxy.refuse("PATCH", status)
    else:
        proxy.fail("", status, method="PATCH")

    # More than the buffers of a connection hold, so that the client is still sending.
    large = BLOB * 16
    content = Content(len(large), lambda start: [large[start:]])
    store = OciRepository(Repository(proxy.host, repository))
    with pytest.raises(OciRegistryError) as caught:
        store.push_blob(content)

    assert caught.value.status == status
    assert f"HTTP {status}" in caught.value.why
    assert remedy in caught.value.remedy
    assert sent(proxy, "PATCH") == [status]
    assert sent(proxy, "POST") == [202]
