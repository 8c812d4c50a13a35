"""The OCI registry's client against a real one: who may enter, over which connection."""

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcar.connections import proxy_for
from modelcar.errors import ModelCarError, OciRegistryError
from modelcar.oci.content import Content
from modelcar.oci.reference import Repository
from modelcar.oci.registry import OciRepository
from modelcar.oci.store import MANIFEST, RawManifest
from modelcar.parallel import in_parallel
from modelcar.values import Digest
from tests import canary
from tests.auth_files import htpasswd
from tests.byte_path import modelcar, refused, tiny, told, write
from tests.servers import certificate
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy
from tests.servers.forward_proxy import ForwardProxy
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response
from tests.servers.ports import kept_ports
from tests.servers.token_server import TokenServer

USER, PASSWORD, WRONG = "tester", f"{canary.MARK} horse", canary.secret("wrong")
BLOB = b"a layer" * 1000
DIGEST = Digest(hashlib.sha256(BLOB).hexdigest())
NAME = "oci.example.test"
"""A host that no name server knows."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("oci-registries")


@pytest.fixture(scope="module")
def tls(folder: Path) -> tuple[Path, Path]:
    return certificate.self_signed(folder / "tls", NAME)


@pytest.fixture(scope="module")
def closed(folder: Path) -> Iterator[DockerRegistry]:
    """Return an OCI registry that asks for a user and a password."""
    asking = htpasswd(folder / "htpasswd", USER, PASSWORD)
    with DockerRegistry(folder / "closed", htpasswd=asking) as server:
        yield server


@pytest.fixture(scope="module")
def tokens(tls: tuple[Path, Path]) -> Iterator[TokenServer]:
    with TokenServer(*tls, users={USER: PASSWORD}) as server:
        yield server


@pytest.fixture(scope="module")
def by_token(folder: Path, tokens: TokenServer) -> Iterator[DockerRegistry]:
    """Return an OCI registry that asks for the tokens of `tokens`."""
    with DockerRegistry(folder / "by-token", auth=tokens.auth) as server:
        yield server


@pytest.fixture(scope="module")
def over_tls(folder: Path, tls: tuple[Path, Path]) -> Iterator[DockerRegistry]:
    with DockerRegistry(folder / "over-tls", tls=tls) as server:
        yield server


@pytest.fixture
def auth_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "auth.json"
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(path))
    return path


def log_in(auth_file: Path, host: str, password: str = PASSWORD) -> None:
    encoded = base64.b64encode(f"{USER}:{password}".encode()).decode()
    auth_file.write_text(json.dumps({"auths": {host: {"auth": encoded}}}))


def push(host: str, path: str) -> Digest:
    content = Content(len(BLOB), lambda start: [BLOB[start:]])
    return OciRepository(Repository(host, path)).push_blob(content)


def build(folder: Path, target: str, **environment: str) -> subprocess.CompletedProcess[str]:
    source = write(folder / "model", tiny())
    argv = ["build", f"file://{source}", "--to", target, "--base", "scratch", "--json"]
    return modelcar(folder, *argv, **environment)


@pytest.mark.parametrize("kind", ["closed", "by_token"])
def test_the_auth_file_lets_a_user_in(
    kind: str, request: pytest.FixtureRequest, auth_file: Path, repository: str
) -> None:
    server: DockerRegistry = request.getfixturevalue(kind)
    log_in(auth_file, server.host)
    store = OciRepository(Repository(server.host, repository))
    manifest = RawManifest(MANIFEST, _manifest())

    assert store.has_blob(DIGEST) is False
    assert store.push_blob(Content.of(BLOB)) == DIGEST
    store.put_manifest(manifest, "1")

    assert store.has_blob(DIGEST) is True
    assert b"".join(store.open_blob(DIGEST)) == BLOB
    assert store.manifest("1") == manifest == store.manifest(manifest.digest)
    other = OciRepository(Repository(server.host, f"{repository}-other"))
    assert other.mount_blob(DIGEST, store.location) is True
    assert other.has_blob(DIGEST) is True


def _manifest() -> bytes:
    blob = {"mediaType": "application/octet-stream", "digest": str(DIGEST), "size": len(BLOB)}
    return json.dumps(
        {"schemaVersion": 2, "mediaType": MANIFEST, "config": blob, "layers": [blob]}
    ).encode()


@pytest.mark.parametrize("kind", ["closed", "by_token"])
@pytest.mark.parametrize("password", ["", WRONG])
def test_who_may_not_push_is_told_how_to_log_in(
    kind: str, password: str, request: pytest.FixtureRequest, tmp_path: Path, auth_file: Path
) -> None:
    server: DockerRegistry = request.getfixturevalue(kind)
    if password:
        log_in(auth_file, server.host, password)
    done = build(tmp_path, f"{server.host}/models/a:1")

    refused(done, f"OCI registry {server.host}", "HTTP 401", f"`skopeo login {server.host}`")
    assert "try 2" not in done.stderr
    for secret in (WRONG, base64.b64encode(f"{USER}:{WRONG}".encode()).decode(), "Bearer ey"):
        assert secret not in done.stderr


def test_a_token_that_is_refused_midway_is_renewed(
    by_token: DockerRegistry, tokens: TokenServer, auth_file: Path, repository: str
) -> None:
    with FaultyProxy(by_token.host) as proxy:
        log_in(auth_file, proxy.host)
        proxy.fail("", 401, method="PATCH", headers=tokens.challenge)
        before = len(tokens.requests)
        assert push(proxy.host, repository) == DIGEST
        patches = [seen for seen in proxy.requests if seen.method == "PATCH"]

    assert [(seen.status, seen.authorized) for seen in patches] == [(401, True), (202, True)]
    assert len(tokens.requests) - before == 2
    log_in(auth_file, by_token.host)
    assert OciRepository(Repository(by_token.host, repository)).has_blob(DIGEST)


def test_a_token_is_never_fetched_over_plain_http(
    auth_file: Path, repository: str, oci_registry: DockerRegistry
) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="http://{NAME}/token",service="x"'}
    with FaultyProxy(oci_registry.host) as proxy:
        log_in(auth_file, proxy.host)
        proxy.fail("", 401, method="POST", headers=challenge)
        with pytest.raises(OciRegistryError, match=f"http://{NAME}/token, which is not HTTPS"):
            push(proxy.host, repository)


class BlobStore(LoopbackServer):
    """The host that an OCI registry keeps its blobs at."""

    def answer(self, request: Request) -> Response:
        return Response(200, {}, Bytes(BLOB))


def test_a_blob_at_another_host_is_asked_for_without_credentials(
    closed: DockerRegistry, auth_file: Path, repository: str
) -> None:
    with FaultyProxy(closed.host) as proxy, BlobStore() as blobs:
        log_in(auth_file, proxy.host)
        store = OciRepository(Repository(proxy.host, repository))
        assert store.has_blob(DIGEST) is False
        location = {"Location": f"{blobs.url}/blob?signature={canary.secret('signed')}"}
        proxy.fail(f"/blobs/{DIGEST}", 307, method="GET", headers=location)
        assert b"".join(store.open_blob(DIGEST)) == BLOB

    assert (proxy.requests[-1].status, proxy.requests[-1].authorized) == (307, True)
    assert [seen.authorized for seen in blobs.requests] == [False]


def test_https_is_tried_first_and_its_ca_is_named_by_a_variable(
    tmp_path: Path, over_tls: DockerRegistry, tls: tuple[Path, Path], repository: str
) -> None:
    target = f"{over_tls.host}/{repository}:1"
    unknown = build(tmp_path, target)
    refused(unknown, f"OCI registry {over_tls.host}", "CERTIFICATE_VERIFY_FAILED")
    refused(unknown, "name the CA's file in MODELCAR_CA_BUNDLE")
    assert "try 2" not in unknown.stderr

    built = told(build(tmp_path, target, MODELCAR_CA_BUNDLE=str(tls[0])))

    assert built["reference"].startswith(f"{over_tls.host}/{repository}@sha256:")
    assert any(line.startswith(f"PUT /v2/{repository}/manifests/1") for line in over_tls.asked())


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("no_proxies")
def test_a_proxy_leads_to_a_host_that_is_not_reached_otherwise(
    tmp_path: Path, over_tls: DockerRegistry, tls: tuple[Path, Path], repository: str
) -> None:
    with ForwardProxy(over_tls.port) as proxy:
        address = f"http://{USER}:{canary.MARK}%20horse@{proxy.host}"
        environment = {"HTTPS_PROXY": address, "MODELCAR_CA_BUNDLE": str(tls[0])}
        done = build(tmp_path, f"{NAME}/{repository}:1", **environment)

    assert told(done)["reference"].startswith(f"{NAME}/{repository}@sha256:")
    assert set(proxy.asked) == {f"CONNECT {NAME}:443"}
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    assert set(proxy.credentials) == {f"Basic {encoded}"}
    assert "horse" not in done.stderr
    assert any(line.startswith(f"PUT /v2/{repository}/manifests/1") for line in over_tls.asked())


@pytest.mark.usefixtures("no_proxies")
def test_no_plain_request_leaves_for_a_host_beyond_loopback(
    oci_registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch, repository: str
) -> None:
    monkeypatch.setattr("modelcar.retries.PAUSE", 0.001)
    before = len(oci_registry.asked())
    with ForwardProxy(oci_registry.port) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.host)
        monkeypatch.setenv("HTTP_PROXY", proxy.host)
        with pytest.raises(OciRegistryError, match=f"OCI registry {NAME}:5000: ") as caught:
            push(f"{NAME}:5000", repository)

    assert caught.value.remedy == "check the host name, the network and the proxy settings"
    assert set(proxy.asked) == {f"CONNECT {NAME}:5000"}, "TLS or nothing"
    assert len(oci_registry.asked()) == before


@pytest.mark.usefixtures("no_proxies")
def test_a_name_that_does_not_resolve_is_said(
    monkeypatch: pytest.MonkeyPatch, repository: str
) -> None:
    monkeypatch.setattr("modelcar.retries.PAUSE", 0.001)
    with pytest.raises(ModelCarError, match=rf"{NAME}.*; check the host name, the network"):
        push(NAME, repository)


@pytest.fixture
def nobody() -> Iterator[str]:
    """Return a URL at which nothing listens."""
    with kept_ports(1) as (port,):
        yield f"http://127.0.0.1:{port}"


@pytest.mark.usefixtures("no_proxies")
def test_hosts_that_no_proxy_serves(
    oci_registry: DockerRegistry, nobody: str, monkeypatch: pytest.MonkeyPatch, repository: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", nobody)
    monkeypatch.setenv("HTTP_PROXY", nobody)
    monkeypatch.setenv("NO_PROXY", f".svc,{NAME}")

    assert push(oci_registry.host, repository) == DIGEST
    assert proxy_for("https://quay.io/v2/") == nobody
    assert proxy_for(f"https://{NAME}/v2/") == ""
    assert proxy_for("https://image-registry.openshift-image-registry.svc:5000/v2/") == ""


def test_reading_asks_for_no_right_to_push(
    by_token: DockerRegistry, tokens: TokenServer, auth_file: Path, repository: str
) -> None:
    log_in(auth_file, by_token.host)
    push(by_token.host, repository)
    before = len(tokens.requests)

    assert OciRepository(Repository(by_token.host, repository)).has_blob(DIGEST) is True

    asked = [seen.target for seen in tokens.requests[before:]]
    assert asked
    assert all("pull" in target and "push" not in target for target in asked)


@pytest.mark.parametrize("kind", ["closed", "by_token"])
def test_many_at_once_log_in_each(
    kind: str, request: pytest.FixtureRequest, auth_file: Path, repository: str
) -> None:
    server: DockerRegistry = request.getfixturevalue(kind)
    log_in(auth_file, server.host)
    store = OciRepository(Repository(server.host, repository))
    contents = [bytes([number]) * 1000 for number in range(20)]

    digests = in_parallel(lambda content: store.push_blob(Content.of(content)), contents)

    assert digests == [Digest(hashlib.sha256(content).hexdigest()) for content in contents]


class Thief(LoopbackServer):
    """Asks whoever comes to log in, at itself."""

    def answer(self, request: Request) -> Response:
        challenge = f'Bearer realm="{self.url}/token",service="thief"'
        return Response(401, {"WWW-Authenticate": challenge})


class SendingOn(LoopbackServer):
    """Sends whoever comes on to `elsewhere`."""

    elsewhere = ""

    def answer(self, request: Request) -> Response:
        return Response(307, {"Location": self.elsewhere})


def test_another_host_is_not_asked_where_to_log_in(auth_file: Path, repository: str) -> None:
    """A blob's address on another host may refuse; its challenge must not see the password."""
    with Thief() as thief, SendingOn() as server:
        server.elsewhere = f"{thief.url}/blob"
        host = server.url.removeprefix("http://")
        log_in(auth_file, host)
        with pytest.raises(OciRegistryError, match="HTTP 401"):
            b"".join(OciRepository(Repository(host, repository)).open_blob(DIGEST))

    assert [seen.target for seen in thief.requests] == ["/blob"]
    assert not any(seen.authorized for seen in thief.requests)
