"""Every client that the library has, each asked at an address of the test's own."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import yaml

from modelcar import cluster, skopeo, trust
from modelcar.dsp.address import Address, Token
from modelcar.dsp.server import PipelinesServer
from modelcar.hub import Hub
from modelcar.model_registry import Connection
from modelcar.model_registry.holdings import holdings
from modelcar.oci.reference import Repository, parse_image, parse_tag
from modelcar.oci.registry import OciRepository
from modelcar.serving.smoke import smoke
from modelcar.values import ModelSource
from tests import auth_files, canary
from tests.servers import certificate
from tests.servers.forward_proxy import ForwardProxy
from tests.servers.loopback import LoopbackServer, Request, Response

TOKEN: Final = canary.secret("trust")
HOST: Final = "server.internal"
"""The name of a server that only a proxy leads to: there, nothing is spared as on loopback is."""


def hub(url: str, folder: Path) -> None:
    Hub(url).listing(ModelSource.parse("hf://org/x"))


def oci_registry(url: str, folder: Path) -> None:
    host = urlsplit(url).netloc
    auth_files.write(folder / "no-auth.json", **{host: auth_files.entry("me", TOKEN)})
    OciRepository(Repository(host, "a/b")).manifest("1")


def model_registry(url: str, folder: Path) -> None:
    holdings(Connection(url, TOKEN))


def api_server(url: str, folder: Path) -> None:
    api = cluster.connect(str(kubeconfig(folder, url)))
    with cluster.asking("listing"):
        cluster.request(api, "GET", "/api/v1/pods")


def pipelines_server(url: str, folder: Path) -> None:
    server = PipelinesServer(Address(url), Token(lambda: TOKEN))
    server.ask("listing", server.pipelines.pipeline_service_list_pipelines)


def endpoint(url: str, folder: Path) -> None:
    smoke(url, "x", token=TOKEN, retries=0)


def mirror(url: str, folder: Path) -> None:
    host = urlsplit(url).netloc
    auth_files.write(folder / "no-auth.json", **{host: auth_files.entry("me", TOKEN)})
    skopeo.mirror(parse_image(f"{host}/a/b@sha256:{'ab' * 32}"), parse_tag(f"oci:{folder}/to:1"))


CLIENTS: Final[Mapping[str, Callable[[str, Path], None]]] = {
    one.__name__: one
    for one in (
        *(hub, oci_registry, model_registry, api_server, pipelines_server, endpoint, mirror),
    )
}


def kubeconfig(folder: Path, url: str, **settings: object) -> Path:
    """Write a kubeconfig of the API server at `url`, and return its path."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url, **settings}}],
        "users": [{"name": "u", "user": {"token": TOKEN}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


class Recorder(LoopbackServer):
    """Answers everything as asked, and keeps the headers by which a client may show itself."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(tls=tls)
        self.shown: list[dict[str, str]] = []

    def answer(self, request: Request) -> Response:
        names = ("Authorization", "Cookie", "Proxy-Authorization")
        found = {name: request.headers[name] for name in names if name in request.headers}
        self.shown.append(found)
        return Response.json({})


class SendingOn(Recorder):
    """Asks who comes for a login and a cookie, then sends on to the same path at `elsewhere`."""

    def __init__(self, status: int, elsewhere: str, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(tls)
        self._status, self._elsewhere = status, elsewhere

    def answer(self, request: Request) -> Response:
        super().answer(request)
        cookie = {"Set-Cookie": f"session={TOKEN}; Path=/"}
        if "Authorization" not in request.headers:
            return Response(401, {**cookie, "WWW-Authenticate": 'Basic realm="x"'})
        return Response(self._status, {**cookie, "Location": f"{self._elsewhere}{request.target}"})


def expired(folder: Path, host: str) -> tuple[Path, Path]:
    """Write a certificate whose days are over, and its key."""
    certificate, key, asked = folder / "old.crt", folder / "old.key", folder / "old.csr"
    names = folder / "old.txt"
    names.write_text(f"subjectAltName=IP:127.0.0.1,DNS:{host}\n")
    made = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tests"]
    signed = ["openssl", "x509", "-req", "-in", str(asked), "-signkey", str(key), "-days", "-1"]
    for argv in (
        [*made, "-keyout", str(key), "-out", str(asked)],
        [*signed, "-extfile", str(names), "-out", str(certificate)],
    ):
        subprocess.run(argv, check=True, capture_output=True)
    return certificate, key


def certificates(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Write certificates that are wrong for HOST, and one that is right, by what they are."""
    folder.mkdir(exist_ok=True)
    return {
        "right": certificate.self_signed(folder / "right", HOST),
        "unknown": certificate.self_signed(folder / "unknown", HOST),
        "expired": expired(folder, HOST),
        "another's": certificate.self_signed(folder / "another", "another.internal"),
    }


@contextmanager
def trusting(ca: Path | None, proxy: ForwardProxy) -> Iterator[None]:
    """Trust `ca` besides the system's, and reach all names by `proxy`, for a while."""
    names = ("no_proxy", "NO_PROXY", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    before = {name: os.environ.pop(name, None) for name in (*names, trust.CA_VARIABLE)}
    address = f"http://{proxy.host}"
    os.environ |= dict.fromkeys(names[2:], address)
    if ca:
        os.environ[trust.CA_VARIABLE] = str(ca)
    trust.tls_context.cache_clear()
    try:
        yield
    finally:
        for name, text in before.items():
            os.environ.pop(name, None)
            if text is not None:
                os.environ[name] = text
        trust.tls_context.cache_clear()
