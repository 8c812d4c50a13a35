"""The proxy that plays faults does what it says: raw HTTP through it, to a real OCI registry."""

import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy

BLOB = bytes(range(251)) * 4000
SIZE = len(BLOB)
DIGEST = f"sha256:{hashlib.sha256(BLOB).hexdigest()}"
Serve = Callable[..., FaultyProxy]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["errors"][0]["code"])


@dataclass(slots=True)
class Client:
    """Talks to the proxy over one connection, which is opened anew after it broke."""

    host: str
    repository: str
    address: str = ""
    connection: http.client.HTTPConnection = field(init=False)

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection(self.host, timeout=30)

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> Answer:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        with suppress(ConnectionError):  # the answer may be there all the same
            self.connection.request(method, target, body, named)
        response = self.connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def open(self) -> Answer:
        return self._followed(self.ask("POST", f"/v2/{self.repository}/blobs/uploads/"))

    def where(self) -> Answer:
        return self._followed(self.ask("GET", self.address))

    def patch(self, start: int, stop: int = SIZE) -> Answer:
        span = f"{start}-{stop - 1}"
        return self._followed(self.ask("PATCH", self.address, BLOB[start:stop], Content_Range=span))

    def commit(self) -> Answer:
        joint = "&" if "?" in self.address else "?"
        return self.ask("PUT", f"{self.address}{joint}digest={DIGEST}")

    def blob(self) -> Answer:
        return self.ask("GET", f"/v2/{self.repository}/blobs/{DIGEST}")

    def loses(self, request: Callable[[], Answer]) -> None:
        """Make a request to which there is no answer."""
        with pytest.raises(ConnectionError):
            request()
        self.connection.close()

    def _followed(self, answer: Answer) -> Answer:
        if location := answer.headers.get("Location"):
            parts = urlsplit(location)
            self.address = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return answer


@pytest.fixture
def serve(oci_registry: DockerRegistry) -> Iterator[Serve]:
    started: list[FaultyProxy] = []

    def begin(**habits: bool | int) -> FaultyProxy:
        started.append(FaultyProxy(oci_registry.host, **habits).__enter__())  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for proxy in started:
        proxy.__exit__(None, None, None)


@pytest.fixture
def proxy(serve: Serve) -> FaultyProxy:
    return serve(resumable=True)


@pytest.fixture
def client(proxy: FaultyProxy, repository: str) -> Iterator[Client]:
    client = Client(proxy.host, repository)
    client.open()
    yield client
    client.connection.close()


@pytest.fixture
def plain(serve: Serve) -> FaultyProxy:
    return serve()


@pytest.fixture
def opened(plain: FaultyProxy, repository: str) -> Iterator[Client]:
    """Return a client of `plain` whose upload is open."""
    client = Client(plain.host, repository)
    client.open()
    yield client
    client.connection.close()


def finish(client: Client, start: int) -> None:
    """Send what is missing, and see the blob as it is."""
    assert client.patch(start).status == 202
    assert client.commit().status == 201
    assert client.blob().body == BLOB


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
    serve: Serve, repository: str, resumable: bool
) -> None:
    proxy = serve(resumable=resumable)
    client = Client(proxy.host, repository)
    client.open()
    connection = client.connection
    connection.putrequest("PATCH", client.address)
    connection.putheader("Content-Length", str(SIZE))
    connection.endheaders(BLOB[:5000])
    connection.sock.shutdown(socket.SHUT_WR)
    assert connection.sock.recv(1) == b"", "it hangs up once all is passed on"
    connection.close()

    told = client.where()

    assert told.status == (204 if resumable else 404)
    assert told.headers["Range"] == ("0-4999" if resumable else None)
    assert proxy.received("PATCH") == 5000
    connection.close()


def test_the_bytes_of_a_client_that_is_held_are_kept_already(
    proxy: FaultyProxy, client: Client
) -> None:
    """So that a process that is killed while it is held can be followed by another."""
    proxy.drop("PATCH", 1000, hold=True)
    held = Client(client.host, client.repository, client.address)
    thread = threading.Thread(target=held.loses, args=(lambda: held.patch(0),))
    thread.start()
    assert proxy.held.wait(30)

    assert client.where().headers["Range"] == "0-999"
    finish(client, 1000)

    client.connection.close()
    proxy.__exit__(None, None, None)
    thread.join()


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
def test_an_oci_registry_may_take_no_patch(serve: Serve, repository: str, resumable: bool) -> None:
    proxy = serve(patch=False, resumable=resumable)
    client = Client(proxy.host, repository)
    client.open()

    refused = client.patch(0)

    assert (refused.status, refused.code) == (405, "UNSUPPORTED")
    assert proxy.received("PATCH") == 0
    joint = "&" if "?" in client.address else "?"
    target = f"{client.address}{joint}digest={DIGEST}"
    assert client.ask("PUT", target, BLOB).status == 201
    assert client.blob().body == BLOB
    assert proxy.received("PUT") == SIZE
    client.connection.close()


def test_a_gateway_may_limit_the_body(serve: Serve, repository: str) -> None:
    proxy = serve(limit=400_000)
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
