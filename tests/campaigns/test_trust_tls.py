"""Every client refuses a certificate that is of no known CA, over, or another host's."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcar import cluster, retries
from modelcar.errors import DeployError, ModelCarError
from modelcar.oci.reference import Repository
from modelcar.skopeo_copy import verify_tls
from tests.campaigns.trusting import (
    CLIENTS,
    HOST,
    TOKEN,
    Recorder,
    certificates,
    kubeconfig,
    trusting,
)
from tests.pipeline.compiled_file import ROOT
from tests.servers.forward_proxy import ForwardProxy
from tests.servers.loopback import Request, Response

WRONG = ("unknown", "expired", "another's")
REASONS = {"unknown": "sign", "expired": "expired", "another's": "not"}
"""What OpenSSL and Go say of each."""
KINDS = tuple((client, kind) for client in CLIENTS for kind in WRONG)


class Asking(Recorder):
    """An OCI registry whose tokens are given at `realm`."""

    realm = ""

    def answer(self, request: Request) -> Response:
        super().answer(request)
        return Response(401, {"WWW-Authenticate": f'Bearer realm="{self.realm}",service="x"'})


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(retries, "PAUSE", 0.001)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    return certificates(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def proxy() -> Iterator[ForwardProxy]:
    with ForwardProxy() as found:
        yield found


def refused(client: str, url: str, folder: Path) -> ModelCarError:
    with pytest.raises(ModelCarError) as caught:
        CLIENTS[client](url, folder)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(("client", "kind"), KINDS)
def test_a_wrong_certificate_is_refused_and_nothing_was_said(
    client: str,
    kind: str,
    made: dict[str, tuple[Path, Path]],
    proxy: ForwardProxy,
    tmp_path: Path,
) -> None:
    """The right one is trusted, and so are the ones that are only over or another host's."""
    ca = made["right"] if kind == "unknown" else made[kind]
    with Recorder(tls=made[kind]) as server:
        with trusting(ca[0], proxy):
            error = refused(client, server.url.replace("127.0.0.1", HOST), tmp_path)
        assert server.requests == []
    assert REASONS[kind] in error.why.lower()
    assert kind != "unknown" or "MODELCAR_CA_BUNDLE" in error.remedy, error


@pytest.mark.parametrize("kind", WRONG)
def test_a_token_service_with_a_wrong_certificate_gets_no_password(
    kind: str, made: dict[str, tuple[Path, Path]], proxy: ForwardProxy, tmp_path: Path
) -> None:
    ca = made["right"] if kind == "unknown" else made[kind]
    with Recorder(tls=made[kind]) as tokens, Asking() as server:
        server.realm = f"{tokens.url.replace('127.0.0.1', HOST)}/token"
        with trusting(ca[0], proxy):
            error = refused("oci_registry", server.url, tmp_path)
        assert tokens.requests == []
    assert REASONS[kind] in error.why.lower()
    assert kind != "unknown" or "MODELCAR_CA_BUNDLE" in error.remedy, error


@pytest.mark.parametrize("client", CLIENTS)
def test_the_ca_variable_makes_all_of_them_trust(
    client: str, made: dict[str, tuple[Path, Path]], proxy: ForwardProxy, tmp_path: Path
) -> None:
    """What answers is no server of theirs; but they said what they wanted."""
    certificate, key = made["right"]
    with Recorder(tls=(certificate, key)) as server, trusting(certificate, proxy):
        with contextlib.suppress(ModelCarError):
            CLIENTS[client](server.url.replace("127.0.0.1", HOST), tmp_path)
        assert server.requests


def test_a_kubeconfig_that_leaves_tls_unverified_is_refused(tmp_path: Path) -> None:
    settings = {"insecure-skip-tls-verify": True}
    path = kubeconfig(tmp_path, "https://127.0.0.1:1", **settings)
    with pytest.raises(DeployError, match=r"take insecure-skip-tls-verify out"):
        cluster.connect(str(path))


LEAVES_OUT = re.compile(
    r"verify(?:_ssl|_mode|_tls)?\s*=\s*(?:False|ssl\.CERT_NONE)|CERT_NONE|cert_reqs"
    r"|check_hostname|assert_hostname|assert_fingerprint|_create_unverified|insecure(?!-skip)"
    r"|disable_warnings|tls-verify=false"
)


def test_nothing_leaves_verification_out() -> None:
    folders = ("src", "components", "pipelines", "scripts")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    paths += (ROOT / "compiled").rglob("*.yaml")
    assert len(paths) > 200
    found = {path.name: LEAVES_OUT.findall(path.read_text()) for path in paths}
    # What the report tells a user to type, for an OCI registry that speaks plain HTTP on loopback.
    assert {name: hits for name, hits in found.items() if hits} == {
        "page_commands.py": ["tls-verify=false"] * 2
    }


HOSTS = {
    **dict.fromkeys(("localhost:5000", "127.0.0.2:5000", "[::1]:1"), "false"),
    **dict.fromkeys(("quay.io", "localhost.evil.com", "127.0.0.1.nip.io", "10.0.0.1"), "true"),
}


@pytest.mark.parametrize(("host", "expected"), HOSTS.items())
def test_skopeo_verifies_but_on_loopback(host: str, expected: str) -> None:
    assert verify_tls(Repository(host, "a/b")) == expected
