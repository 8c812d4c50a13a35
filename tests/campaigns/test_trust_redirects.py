"""Wherever a server sends a client on to: no credential comes there, and no answer is believed."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcar import retries
from modelcar.errors import ModelCarError, OciRegistryError
from modelcar.hub import Hub
from modelcar.oci.content import Content
from modelcar.oci.reference import Repository
from modelcar.oci.registry import OciRepository
from modelcar.values import Digest, ModelSource
from tests import auth_files, canary
from tests.byte_path import REPO, tiny
from tests.campaigns.extent import full
from tests.campaigns.trusting import (
    CLIENTS,
    HOST,
    TOKEN,
    Recorder,
    SendingOn,
    trusting,
)
from tests.servers.certificate import self_signed
from tests.servers.forward_proxy import ForwardProxy
from tests.servers.hub import HubServer
from tests.servers.loopback import Bytes, Request, Response

BLOB = b"a layer" * 1000
DIGEST = Digest(hashlib.sha256(BLOB).hexdigest())
STATUSES = (301, 302, 303, 307, 308) if full() else (302, 307)
NAMES = ("127.0.0.1", "localhost") if full() else ("localhost",)


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(retries, "PAUSE", 0.001)


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"), HOST)


@pytest.fixture
def elsewhere() -> Iterator[Recorder]:
    with Recorder() as server:
        yield server


def told(error: ModelCarError) -> str:
    """Return the line of an error, once it is one and has all parts."""
    assert "\n" not in str(error)
    assert error.why
    assert error.remedy, str(error)
    return str(error)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("client", CLIENTS)
def test_no_credential_comes_elsewhere(
    client: str, name: str, status: int, elsewhere: Recorder, tmp_path: Path
) -> None:
    there = elsewhere.url.replace("127.0.0.1", name)
    with SendingOn(status, there) as server:
        with pytest.raises(ModelCarError) as caught:
            CLIENTS[client](server.url, tmp_path)
        assert any("Authorization" in one for one in server.shown)
    told(caught.value)
    assert not any(elsewhere.shown)


@pytest.mark.parametrize("client", ["model_registry", "api_server", "pipelines_server", "endpoint"])
def test_what_is_answered_elsewhere_is_not_even_asked(
    client: str, elsewhere: Recorder, tmp_path: Path
) -> None:
    with SendingOn(307, elsewhere.url) as server, pytest.raises(ModelCarError):
        CLIENTS[client](server.url, tmp_path)
    assert elsewhere.requests == []


@pytest.mark.parametrize("client", [name for name in CLIENTS if name != "mirror"])
def test_nobody_goes_on_from_https_to_plain_http(
    client: str, right: tuple[Path, Path], tmp_path: Path
) -> None:
    """By the proxy, to a name: on loopback plain HTTP is spoken."""
    proxy = ForwardProxy()
    with proxy, SendingOn(307, "http://elsewhere.internal", tls=right) as server:
        with trusting(right[0], proxy), pytest.raises(ModelCarError) as caught:
            CLIENTS[client](server.url.replace("127.0.0.1", HOST), tmp_path)
        assert server.requests
    told(caught.value)
    assert {line.split()[0] for line in proxy.asked} == {"CONNECT"}
    assert not any("elsewhere.internal" in line for line in proxy.asked)


def test_files_on_another_host_are_fetched_without_the_token() -> None:
    source = ModelSource.parse(f"hf://{REPO}")
    hosts = {"127.0.0.1": set[bool](), "localhost": set[bool]()}
    with HubServer({REPO: tiny()}, token=TOKEN) as server:
        hub = Hub(server.url)
        listing = hub.listing(source)
        found = {file.path: b"".join(hub.open(source, file, 0)) for file in listing.files}
        for seen in server.requests:
            hosts[seen.host.partition(":")[0]].add(seen.authorized)
    assert found == tiny()
    assert hosts == {"127.0.0.1": {True}, "localhost": {False}}


class Registry(Recorder):
    """An OCI registry that asks for a login, and sends on for blobs and uploads to `elsewhere`."""

    elsewhere = ""

    def answer(self, request: Request) -> Response:
        super().answer(request)
        if "Authorization" not in request.headers:
            return Response(401, {"WWW-Authenticate": 'Basic realm="x"'})
        if request.method == "POST":
            return Response(202, {"Location": f"{self.elsewhere}/upload?state={TOKEN}"})
        return Response(307, {"Location": f"{self.elsewhere}/blob?signature={TOKEN}"})


class Store(Recorder):
    """Where blobs lie, and are taken."""

    def answer(self, request: Request) -> Response:
        super().answer(request)
        if request.method == "GET":
            return Response(200, {}, Bytes(BLOB))
        return Response(201 if request.method == "PUT" else 202)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_blobs_come_from_elsewhere_and_go_there_without_the_login(
    name: str, tmp_path: Path
) -> None:
    with Store() as store, Registry() as server:
        server.elsewhere = store.url.replace("127.0.0.1", name)
        host = server.url.removeprefix("http://")
        auth_files.write(tmp_path / "no-auth.json", **{host: auth_files.entry("me", TOKEN)})
        found = OciRepository(Repository(host, "a/b"))
        assert b"".join(found.open_blob(DIGEST)) == BLOB
        assert found.push_blob(Content.of(b"another")).hex
        assert not any(store.shown)
        assert {seen.method for seen in store.requests} >= {"GET", "PUT"}
        assert any("Authorization" in one for one in server.shown)


def test_an_upload_is_not_sent_on_to_plain_http(right: tuple[Path, Path], tmp_path: Path) -> None:
    proxy = ForwardProxy()
    with proxy, Registry(tls=right) as server:
        server.elsewhere = "http://elsewhere.internal"
        host = server.url.removeprefix("https://").replace("127.0.0.1", HOST)
        auth_files.write(tmp_path / "no-auth.json", **{host: auth_files.entry("me", TOKEN)})
        with trusting(right[0], proxy), pytest.raises(OciRegistryError) as caught:
            OciRepository(Repository(host, "a/b")).push_blob(Content.of(BLOB))
    assert "it sends on to plain HTTP" in told(caught.value)
    assert canary.MARK not in str(caught.value)
    assert {line.split()[0] for line in proxy.asked} == {"CONNECT"}


class Asking(Recorder):
    """An OCI registry whose tokens are given at `realm`."""

    realm = ""

    def answer(self, request: Request) -> Response:
        super().answer(request)
        return Response(401, {"WWW-Authenticate": f'Bearer realm="{self.realm}",service="x"'})


def test_the_token_services_redirect_is_not_followed(elsewhere: Recorder, tmp_path: Path) -> None:
    with SendingOn(307, elsewhere.url) as tokens, Asking() as server:
        server.realm = f"{tokens.url}/token"
        host = server.url.removeprefix("http://")
        auth_files.write(tmp_path / "no-auth.json", **{host: auth_files.entry("me", TOKEN)})
        with pytest.raises(OciRegistryError, match="HTTP 307") as caught:
            OciRepository(Repository(host, "a/b")).manifest("1")
        assert any("Authorization" in one for one in tokens.shown)
    told(caught.value)
    assert elsewhere.requests == []
