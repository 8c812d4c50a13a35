"""The proxy that plays an OCI registry whose uploads outlive a cut, before one whose do not."""

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy
from tests.upload_client import BLOB, SIZE, Answer, Client, finish


@pytest.fixture
def proxy(oci_registry: DockerRegistry) -> Iterator[FaultyProxy]:
    """Return a proxy whose uploads outlive a cut."""
    with FaultyProxy(oci_registry.host, resumable=True) as server:
        yield server


@pytest.fixture
def client(proxy: FaultyProxy, repository: str) -> Iterator[Client]:
    client = Client(proxy.host, repository)
    client.open()
    yield client
    client.connection.close()


@pytest.fixture
def plain(oci_registry: DockerRegistry) -> Iterator[FaultyProxy]:
    with FaultyProxy(oci_registry.host) as server:
        yield server


@pytest.fixture
def opened(plain: FaultyProxy, repository: str) -> Iterator[Client]:
    """Return a client of `plain` whose upload is open."""
    client = Client(plain.host, repository)
    client.open()
    yield client
    client.connection.close()


@pytest.mark.parametrize("after", [0, 1, SIZE // 2, SIZE - 1])
def test_a_resumable_upload_goes_on_where_it_was_cut(
    proxy: FaultyProxy, client: Client, after: int
) -> None:
    proxy.drop("PATCH", after)
    address = client.address

    client.loses(lambda: client.patch(0))

    told = client.where()
    assert (told.status, told.headers["Range"]) == (204, f"0-{max(after - 1, 0)}")
    assert client.address == address
    assert "?" not in address
    assert proxy.received("PATCH") == after
    finish(client, after)
    assert proxy.received("PATCH") == SIZE


def test_a_whole_body_without_an_answer_is_kept_too(proxy: FaultyProxy, client: Client) -> None:
    proxy.drop("PATCH", SIZE)
    client.loses(lambda: client.patch(0))
    assert client.where().headers["Range"] == f"0-{SIZE - 1}"
    assert client.commit().status == 201
    assert client.blob().body == BLOB


def test_cuts_add_up(proxy: FaultyProxy, client: Client) -> None:
    proxy.drop("PATCH", 1000, times=3)
    for start in (0, 1000, 2000):
        client.loses(lambda start=start: client.patch(start))  # type: ignore[misc]
        assert client.where().headers["Range"] == f"0-{start + 999}"
    finish(client, 3000)


@pytest.mark.parametrize("start", [0, 999, 1001])
def test_a_patch_that_does_not_begin_at_the_end_is_out_of_order(
    proxy: FaultyProxy, client: Client, start: int
) -> None:
    proxy.drop("PATCH", 1000)
    client.loses(lambda: client.patch(0))

    refused = client.patch(start)

    assert (refused.status, refused.headers["Range"]) == (416, "0-999")
    finish(client, 1000)


@pytest.mark.parametrize("resumable", [True, False])
def test_a_client_that_goes_away_is_as_a_cut(
    oci_registry: DockerRegistry, repository: str, resumable: bool
) -> None:
    with FaultyProxy(oci_registry.host, resumable=resumable) as proxy:
        client = Client(proxy.host, repository)
        client.open()
        _go_away(client, BLOB[:5000])
        told = client.where()
        client.connection.close()

    assert told.status == (204 if resumable else 404)
    assert told.headers["Range"] == ("0-4999" if resumable else None)
    assert proxy.received("PATCH") == 5000


def _go_away(client: Client, part: bytes) -> None:
    """Send `part` of a PATCH and end the connection; return once the proxy is done with it."""
    connection = client.connection
    connection.putrequest("PATCH", client.address)
    connection.putheader("Content-Length", str(SIZE))
    connection.endheaders(part)
    connection.sock.shutdown(socket.SHUT_WR)
    assert connection.sock.recv(1) == b""
    connection.close()


def test_the_bytes_of_a_client_that_is_held_are_kept_already(
    oci_registry: DockerRegistry, repository: str
) -> None:
    """So that a process that is killed while it is held can be followed by another."""
    with FaultyProxy(oci_registry.host, resumable=True) as proxy:
        proxy.drop("PATCH", 1000, hold=True)
        client = Client(proxy.host, repository)
        client.open()
        held = Client(proxy.host, repository, client.address)
        thread = threading.Thread(target=held.loses, args=(lambda: held.patch(0),))
        thread.start()
        assert proxy.held.wait(30)

        assert client.where().headers["Range"] == "0-999"
        finish(client, 1000)
        assert thread.is_alive()
    thread.join()
    client.connection.close()


def test_a_patch_that_was_overtaken_adds_nothing(proxy: FaultyProxy, client: Client) -> None:
    gate = proxy.stall("PATCH", 1000)
    slow = Client(client.host, client.repository, client.address)
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(slow.patch(0, 2000)))
    thread.start()
    assert gate.reached.wait(30)

    assert client.where().headers["Range"] == "0-0"
    assert client.patch(0, 3000).status == 202
    gate.release()
    thread.join()

    assert [answer.status for answer in answers] == [416]
    slow.connection.close()
    finish(client, 3000)


def test_an_upload_to_the_real_oci_registry_does_not_outlive_a_cut(
    plain: FaultyProxy, opened: Client
) -> None:
    """What `resumable` is there for: docker-registry forgets an upload that broke off."""
    plain.drop("PATCH", 1000, passed_on=True)
    opened.loses(lambda: opened.patch(0))
    told = opened.where()
    assert (told.status, told.code) == (404, "BLOB_UPLOAD_INVALID")


def test_a_cut_that_is_not_passed_on_leaves_the_upload_as_it_was(
    plain: FaultyProxy, opened: Client
) -> None:
    plain.drop("PATCH", 1000)
    opened.loses(lambda: opened.patch(0))
    assert opened.where().headers["Range"] == "0-0"
    finish(opened, 0)
    assert plain.received("PATCH") == SIZE + 1000
