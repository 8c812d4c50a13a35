"""What is no Hub, no OCI registry or no certificate is named in one line."""

import logging
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from modelcar import trust
from modelcar.cli import main
from modelcar.errors import OciRegistryError
from modelcar.hub import Hub
from modelcar.oci.reference import Repository
from modelcar.oci.registry import OciRepository
from modelcar.values import Digest, ModelSource
from tests.byte_path import safetensors
from tests.servers.hub import HubServer
from tests.servers.loopback import Bytes, LoopbackServer, Request, Response

FILES = {"config.json": b"{}", "model.safetensors": safetensors(2000)}
DIGEST = Digest("a" * 64)


class LoginPage(LoopbackServer):
    """Answers everything with a page, as a portal or a wrong host does."""

    def answer(self, request: Request) -> Response:
        return Response(200, {"Content-Type": "text/html"}, Bytes(b"<html>log in</html>"))


class ClosedToMounts(LoopbackServer):
    """An OCI registry that refuses to read the repository from which to mount."""

    def answer(self, request: Request) -> Response:
        return Response(401 if "mount" in request.query else 200)


class SigningHub(HubServer):
    """A Hub whose file host signs addresses, and is down."""

    def answer(self, request: Request) -> Response:
        if request.path.startswith("/cdn/"):
            return Response(503)
        answer = super().answer(request)
        if place := answer.headers.get("Location"):
            signed = {**answer.headers, "Location": f"{place}?X-Signature=C4naryBird"}
            return Response(answer.status, signed)
        return answer


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_page_is_no_base_image(tmp_path: Path) -> None:
    with LoginPage() as page:
        base = f"{page.url.removeprefix('http://')}/a/base:1"
        place = ["--to", f"oci:{tmp_path}/image:1", "--workdir", str(tmp_path / "work")]
        done = invoke("build", f"file://{_folder(tmp_path)}", *place, "--base", base)
    assert done.exit_code == 1
    assert "the answer is text/html, not what an OCI registry says; check the host" in done.stderr


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def test_a_refused_mount_is_no_failure() -> None:
    with ClosedToMounts() as server:
        host = server.url.removeprefix("http://")
        store = OciRepository(Repository(host, "me/x"))
        assert store.mount_blob(DIGEST, Repository(host, "base/y")) is False


def test_a_mount_that_fails_otherwise_is_one() -> None:
    with LoginPage() as server:
        host = server.url.removeprefix("http://")
        store = OciRepository(Repository(host, "me/x"))
        with pytest.raises(OciRegistryError, match="HTTP 200"):
            store.mount_blob(DIGEST, Repository(host, "base/y"))


def test_signed_addresses_are_not_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("modelcar.retries.PAUSE", 0.001)
    source = ModelSource.parse("hf://org/x")
    with caplog.at_level(logging.INFO, logger="modelcar"), SigningHub({"org/x": FILES}) as server:
        hub = Hub(server.url)
        weights = hub.listing(source).files[1]
        with pytest.raises(Exception, match="HTTP 503") as caught:
            list(hub.open(source, weights, 0))
    told = [record.getMessage() for record in caplog.records]
    assert any("503" in line for line in told)
    assert "C4naryBird" not in f"{told} {caught.value}"


def test_a_name_that_no_hub_has_is_said_to_be_one() -> None:
    done = invoke("plan", "hf://org/a..b")
    assert done.exit_code == 2
    assert "model URI 'hf://org/a..b': it cannot be read; write hf://org/name" in done.stderr


def test_a_folder_cannot_be_pinned(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text('name: x\nsource: file:///models/x\nversion: "1"\n')
    done = invoke("pin", str(path))
    assert done.exit_code == 2
    assert "the commit of file:///models/x: a folder has none" in done.stderr


def test_a_ca_file_without_a_certificate_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    monkeypatch.setenv(trust.CA_VARIABLE, str(tmp_path / "ca.pem"))
    trust.tls_context.cache_clear()
    image = f"quay.io/a/b@{DIGEST}"
    done = invoke("register", "hf://org/x", "--image", image, "--model-registry", "localhost:1")
    trust.tls_context.cache_clear()
    assert done.exit_code == 2
    assert f"CA file {tmp_path}/ca.pem: " in done.stderr


def test_build_warns_of_what_the_rules_did_not_match(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = ["--to", f"oci:{tmp_path}/image:1", "--workdir", str(tmp_path / "work")]
    source = f"file://{_folder(tmp_path)}"
    done = invoke("build", source, *place, "--base", "scratch", "--exclude", "typo*")
    assert done.exit_code == 0
    assert "exclude 'typo*' matches no file" in caplog.messages
    assert done.stdout.count("\n") == 1
