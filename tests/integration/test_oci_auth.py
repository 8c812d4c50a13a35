"""Who may enter a real OCI registry: anonymous, by entry, by tokens that end, by a pod's token."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from modelcar import trust
from modelcar.errors import OciRegistryError
from modelcar.oci.content import Content
from modelcar.oci.reference import Repository
from modelcar.oci.registry import OciRepository
from modelcar.parallel import in_parallel
from modelcar.values import Digest
from tests import canary
from tests.auth_files import entry, htpasswd, write
from tests.byte_path import modelcar, refused, tiny
from tests.byte_path import write as write_model
from tests.servers import certificate
from tests.servers.docker_registry import DockerRegistry
from tests.servers.forward_proxy import ForwardProxy
from tests.servers.token_server import TokenServer

USER, PASSWORD = "tester", f"{canary.MARK} horse"
BLOB = b"a layer" * 1000
DIGEST = Digest(hashlib.sha256(BLOB).hexdigest())
SLOW = [bytes([fill]) * 9000 for fill in range(3)]
CLUSTER = "image-registry.tests.svc"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("oci-auth")


@pytest.fixture(scope="module")
def tls(folder: Path) -> tuple[Path, Path]:
    return certificate.self_signed(folder / "tls", CLUSTER)


@pytest.fixture
def auth_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    return tmp_path / "auth.json"


@pytest.fixture(scope="module")
def closed(folder: Path) -> Iterator[DockerRegistry]:
    """Return an OCI registry that asks for a user and a password."""
    path = folder / "htpasswd"
    htpasswd(path, USER, PASSWORD)
    with DockerRegistry(folder / "closed", htpasswd=path) as server:
        yield server


def push(store: OciRepository) -> Digest:
    return store.push_blob(Content.of(BLOB))


def test_whoever_may_only_read_needs_no_credential(
    folder: Path, tls: tuple[Path, Path], auth_file: Path, repository: str
) -> None:
    tokens = TokenServer(*tls, users={USER: PASSWORD})
    with tokens, DockerRegistry(folder / "open", auth=tokens.auth) as server:
        write(auth_file, **{server.host: entry(USER, PASSWORD)})
        push(OciRepository(Repository(server.host, repository)))
        auth_file.unlink()
        before = len(tokens.requests)

        store = OciRepository(Repository(server.host, repository))

        assert b"".join(store.open_blob(DIGEST)) == BLOB
        assert len(tokens.requests) > before
        assert not any(seen.authorized for seen in tokens.requests[before:])
        with pytest.raises(OciRegistryError, match=r"HTTP 401.*log in with the right to push"):
            store.push_blob(Content.of(b"another"))


@pytest.mark.parametrize(
    "credential", [entry(USER, PASSWORD), {"username": USER, "password": PASSWORD}]
)
def test_a_repositorys_own_entry_is_the_one_that_is_sent(
    closed: DockerRegistry, auth_file: Path, repository: str, credential: dict[str, str]
) -> None:
    key = f"{closed.host}/{repository}"
    write(auth_file, **{closed.host: entry("nobody"), f"http://{key}/a": credential})

    assert push(OciRepository(Repository(closed.host, f"{repository}/a"))) == DIGEST
    with pytest.raises(OciRegistryError, match="HTTP 401"):
        push(OciRepository(Repository(closed.host, f"{repository}/b")))


def test_a_credential_helper_is_one_clear_error(
    closed: DockerRegistry, tmp_path: Path, auth_file: Path, repository: str
) -> None:
    auth_file.write_text(json.dumps({"auths": {closed.host: {}}, "credsStore": "desktop"}))
    model = write_model(tmp_path / "model", tiny())
    target = f"{closed.host}/{repository}:1"
    argv = ["build", f"file://{model}", "--to", target, "--base", "scratch"]

    line = refused(modelcar(tmp_path, *argv), f"auth file {auth_file}: ")

    assert "docker-credential-desktop" in line
    assert f"`skopeo login --authfile FILE {closed.host}` and set REGISTRY_AUTH_FILE" in line


class ShortLived:
    """An OCI registry whose tokens live for five seconds; its token service tells it as `told`."""

    def __init__(self, folder: Path, tls: tuple[Path, Path], told: int) -> None:
        self.tokens = TokenServer(*tls, users={USER: PASSWORD}, life=5, told=told)
        self.server = DockerRegistry(folder / f"told-{told}", auth=self.tokens.auth)
        self._pool = urllib3.PoolManager(maxsize=4)

    def push(self, repository: str) -> list[Digest]:
        """Push blobs at once that are longer on their way than the first token lives."""
        store = OciRepository(Repository(self.server.host, repository))
        return in_parallel(lambda data: store.push_blob(self._slow(data)), SLOW)

    def _slow(self, data: bytes) -> Content:
        def read(start: int) -> Iterator[bytes]:
            yield data[start:1000]
            self._outlive(self.tokens.issued[0])
            yield data[max(start, 1000) :]

        return Content(len(data), read)

    def _outlive(self, token: str) -> None:
        """Ask until the OCI registry takes the token no more."""
        address, headers = f"http://{self.server.host}/v2/", {"Authorization": f"Bearer {token}"}
        clock, end = threading.Event(), time.monotonic() + 30
        while self._pool.request("GET", address, headers=headers).status == 200:
            assert time.monotonic() < end, "the token has no end"
            clock.wait(0.1)


def test_uploads_outlive_the_token_that_they_began_with(
    folder: Path, tls: tuple[Path, Path], auth_file: Path, repository: str
) -> None:
    honest, wrong = ShortLived(folder, tls, told=5), ShortLived(folder, tls, told=300)
    with honest.tokens, honest.server, wrong.tokens, wrong.server:
        hosts = (honest.server.host, wrong.server.host)
        write(auth_file, **{host: entry(USER, PASSWORD) for host in hosts})

        pushed = in_parallel(lambda one: one.push(repository), (honest, wrong))

        found = [
            list(OciRepository(Repository(host, repository)).open_blob(digest))
            for host in hosts
            for digest in pushed[0]
        ]

    digests = [Digest(hashlib.sha256(data).hexdigest()) for data in SLOW]
    assert pushed == [digests, digests]
    assert [b"".join(blocks) for blocks in found] == [*SLOW, *SLOW]
    assert len(wrong.tokens.issued) == 2 + len(SLOW), "one for all uploads, one when it had ended"
    assert len(honest.tokens.issued) > len(SLOW)


@pytest.fixture
def pod(tmp_path: Path, tls: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a pod's service account folder: OpenShift puts the CA of its services there too."""
    folder = tmp_path / "service-account"
    folder.mkdir()
    (folder / "service-ca.crt").write_bytes(tls[0].read_bytes())
    monkeypatch.setattr(trust, "SERVICE_ACCOUNT", folder)
    trust.tls_context.cache_clear()
    yield folder
    trust.tls_context.cache_clear()


def test_a_service_account_token_that_was_renewed_is_read_anew(
    folder: Path,
    tls: tuple[Path, Path],
    pod: Path,
    repository: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("no_proxy", "NO_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    first, second = canary.secret("first"), canary.secret("second")
    asking = htpasswd(folder / "cluster-htpasswd", "serviceaccount", first)
    (pod / "token").write_text(f"{first}\n")
    server = DockerRegistry(folder / "cluster", htpasswd=asking, tls=tls)
    with ForwardProxy(server.port) as proxy, server:  # whose end ends the tunnels
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.host}")
        store = OciRepository(Repository(f"{CLUSTER}:5000", repository))
        assert push(store) == DIGEST

        # The server looks at the file's time for changes.
        htpasswd(asking, "serviceaccount", second)
        with pytest.raises(OciRegistryError, match="HTTP 401"):
            store.push_blob(Content.of(b"with the old token"))
        (pod / "token").write_text(f"{second}\n")

        other = store.push_blob(Content.of(b"another layer"))
        assert store.has_blob(other)
