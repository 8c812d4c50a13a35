"""The proxy that plays faults does what it says: raw HTTP through it, to a real OCI registry."""

import hashlib
import http.client
import threading
from collections.abc import Iterator

import pytest

from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy
from tests.upload_client import BLOB, SIZE, Client, finish


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


def test_a_cut_may_be_counted_over_an_upload(proxy: FaultyProxy, client: Client) -> None:
    proxy.drop("PATCH", 2500, of="upload")
    assert client.patch(0, 1000).status == 202
    assert client.patch(1000, 2000).status == 202
    client.loses(lambda: client.patch(2000))
    assert client.where().headers["Range"] == "0-2499"

    client.open()  # another upload counts anew
    proxy.drop("PATCH", 2500, of="upload")
    assert client.patch(0, 2499).status == 202


def test_a_cut_may_be_counted_over_a_connection(proxy: FaultyProxy, client: Client) -> None:
    proxy.drop("PATCH", 1500, of="connection")
    client.patch(0, 1000)
    client.connection.close()
    assert client.patch(1000, 2000).status == 202
    client.loses(lambda: client.patch(2000, 3000))
    assert client.where().headers["Range"] == "0-2499"


def test_what_comes_next_can_be_told_at_the_cut(proxy: FaultyProxy, client: Client) -> None:
    proxy.drop("PATCH", 1000, then=proxy.forget)
    client.loses(lambda: client.patch(0))
    for request in (client.where, lambda: client.patch(1000), client.commit):
        answer = request()
        assert (answer.status, answer.code) == (404, "BLOB_UPLOAD_UNKNOWN")
    client.open()
    finish(client, 0)


def test_the_real_oci_registrys_uploads_can_be_forgotten_too(
    plain: FaultyProxy, opened: Client
) -> None:
    plain.forget()
    assert opened.where().code == "BLOB_UPLOAD_UNKNOWN"
    opened.open()
    finish(opened, 0)


def test_an_upload_that_is_committed_or_cancelled_is_unknown(client: Client) -> None:
    finish(client, 0)
    assert client.commit().code == "BLOB_UPLOAD_UNKNOWN"
    client.open()
    assert client.ask("DELETE", client.address).status == 204
    assert client.where().code == "BLOB_UPLOAD_UNKNOWN"


def test_a_token_may_be_refused_midway(proxy: FaultyProxy, client: Client) -> None:
    challenge = {"WWW-Authenticate": 'Bearer realm="https://x/token"'}
    proxy.refuse("PATCH", 401, after=1000, headers=challenge)

    refused = client.patch(0)

    assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, *challenge.values())
    assert refused.headers["Connection"] == "close"
    assert client.where().headers["Range"] == "0-999"
    finish(client, 1000)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_gateway_may_ask_for_patience(proxy: FaultyProxy, client: Client, status: int) -> None:
    proxy.fail("", status, method="PATCH", headers={"Retry-After": "7"})
    refused = client.patch(0)
    assert (refused.status, refused.headers["Retry-After"]) == (status, "7")
    assert client.where().headers["Range"] == "0-0"
    finish(client, 0)


def test_a_body_may_stall(proxy: FaultyProxy, client: Client) -> None:
    gate = proxy.stall("PATCH", 1000)
    thread = threading.Thread(target=finish, args=(client, 0))
    thread.start()
    assert gate.reached.wait(30)
    assert proxy.received("PATCH") == 1000

    gate.release()
    thread.join()

    assert client.blob().body == BLOB


def test_an_answer_may_stall(
    proxy: FaultyProxy, client: Client, oci_registry: DockerRegistry
) -> None:
    gate = proxy.stall_answer("PUT")
    thread = threading.Thread(target=finish, args=(client, 0))
    thread.start()
    assert gate.reached.wait(30)
    direct = Client(oci_registry.host, client.repository)
    assert direct.blob().body == BLOB, "the request itself went through"
    direct.connection.close()

    gate.release()
    thread.join()

    assert client.blob().body == BLOB


@pytest.mark.parametrize("told", ["0-99999999", "0-5", "elephants", "", None])
def test_the_range_of_an_upload_may_be_told_wrong(
    proxy: FaultyProxy, client: Client, told: str | None
) -> None:
    client.patch(0, 1000)
    proxy.reword("GET", "Range", told, part="/uploads/")
    assert client.where().headers["Range"] == told
    assert client.where().headers["Range"] == "0-999", "once only"
    finish(client, 1000)


def test_changes_of_one_answer_come_together_and_of_one_kind_in_turn(
    proxy: FaultyProxy, client: Client
) -> None:
    for told in ("0-1", "0-2"):
        proxy.reword("GET", "Range", told)
    proxy.reword("GET", "Location", None)
    first, second = client.where(), client.where()
    assert (first.headers["Range"], first.headers["Location"]) == ("0-1", None)
    assert (second.headers["Range"], second.headers["Location"]) == ("0-2", client.address)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_answer_may_be_lost(proxy: FaultyProxy, client: Client, method: str) -> None:
    proxy.lose(method, part="/uploads/")
    if method == "PATCH":
        client.loses(lambda: client.patch(0))
        assert client.where().headers["Range"] == f"0-{SIZE - 1}"
        assert client.commit().status == 201
    else:
        assert client.patch(0).status == 202
        client.loses(client.commit)
    assert client.blob().body == BLOB


def test_a_blob_may_break_off_and_its_bytes_are_counted(proxy: FaultyProxy, client: Client) -> None:
    finish(client, 0)
    assert proxy.blob_bytes_sent == SIZE
    proxy.lose("GET", part="/blobs/sha256:", after=1000)
    with pytest.raises(http.client.IncompleteRead) as caught:
        client.blob()
    assert caught.value.partial == BLOB[:1000]
    assert proxy.blob_bytes_sent == SIZE + 1000


@pytest.mark.parametrize("resumable", [False, True])
def test_an_oci_registry_may_take_no_patch(
    oci_registry: DockerRegistry, repository: str, resumable: bool
) -> None:
    with FaultyProxy(oci_registry.host, patch=False, resumable=resumable) as proxy:
        client = Client(proxy.host, repository)
        client.open()

        refused = client.patch(0)

        assert (refused.status, refused.code) == (405, "UNSUPPORTED")
        assert proxy.received("PATCH") == 0
        assert client.commit(BLOB).status == 201
        assert client.blob().body == BLOB
        assert proxy.received("PUT") == SIZE
        client.connection.close()


def test_a_gateway_may_limit_the_body(oci_registry: DockerRegistry, repository: str) -> None:
    with FaultyProxy(oci_registry.host, limit=400_000) as proxy:
        client = Client(proxy.host, repository)
        client.open()

        assert client.patch(0).status == 413
        assert client.patch(0, 400_001).status == 413
        assert proxy.received("PATCH") == 0
        assert client.patch(0, 400_000).status == 202
        assert client.patch(400_000, 800_000).status == 202
        finish(client, 800_000)
        client.connection.close()


def test_a_large_body_goes_through_whole(proxy: FaultyProxy, repository: str) -> None:
    large = BLOB * 64
    client = Client(proxy.host, repository)
    client.open()
    proxy.drop("PATCH", len(large) - 1)
    client.loses(lambda: client.ask("PATCH", client.address, large))
    assert client.ask("PATCH", client.address, large[-1:]).status == 202
    digest = f"sha256:{hashlib.sha256(large).hexdigest()}"
    assert client.ask("PUT", f"{client.address}?digest={digest}").status == 201
    client.connection.close()
