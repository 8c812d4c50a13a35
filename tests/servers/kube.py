"""A real kube-apiserver with its etcd, on free loopback ports.

The binaries lie in one folder, as envtest's KUBEBUILDER_ASSETS has them. There are no controllers:
a Deployment makes no pod, and whoever needs a status writes it.
"""

import json
import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml

from tests import canary
from tests.servers.ports import kept_ports

START_SECONDS = 60.0
NAME = "api.internal"
"""Another name of the API server, which only a proxy leads to."""
AUDIT = "audit.log"
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived", "ResponseStarted"],
    "rules": [{"level": "Metadata", "users": ["pipeline"]}, {"level": "None"}],
}
GROUPS = {"admin": "system:masters", "pipeline": "pipelines"}
"""The users that exist, and their group; all but the admin have the rights that a test gives."""


class Gone(AssertionError):
    """What a request is about does not stand; a controller that comes too late lets it be."""


class Process:
    """One server, started and ended as a context manager; what it says is appended to `log`."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self.log = log
        self._argv = argv

    def start(self) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(self._argv, stdout=output, stderr=output)

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def runs(self) -> bool:
        return self._process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


@dataclass(frozen=True, slots=True)
class Asked:
    """What one request was about, and the answer's code; no namespace for the whole cluster."""

    group: str
    resource: str
    verb: str
    namespace: str
    code: int


@dataclass(frozen=True, slots=True)
class KubeServer:
    """A running API server; `tokens` is by user."""

    url: str
    ca_file: Path
    folder: Path
    tokens: Mapping[str, str] = field(repr=False)
    process: "Process" = field(repr=False)

    def kubeconfig(self, user: str = "admin", namespace: str = "default", server: str = "") -> Path:
        """Write a kubeconfig file for `user`, and return its path; `server` stands for the URL."""
        cluster = {"server": server or self.url, "certificate-authority": str(self.ca_file)}
        context = {"cluster": "test", "user": user, "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "test", "context": context}],
            "current-context": "test",
        }
        path = self.folder / f"kubeconfig-{user}-{secrets.token_hex(4)}"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path

    def client(self, user: str = "admin", namespace: str = "default", server: str = "") -> Any:
        """Return an ApiClient of `user`."""
        from kubernetes import config

        return config.new_client_from_config(str(self.kubeconfig(user, namespace, server)))

    def restart(self, meanwhile: Callable[[], object] = lambda: None) -> None:
        """End the API server, and start it again after `meanwhile`; etcd keeps what stands."""
        self.process.stop()
        meanwhile()
        self.process.start()
        self.await_ready()

    def await_ready(self) -> None:
        """Return once it is ready; its log is the error when it ends before."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.runs():
            try:
                if self._status("/readyz") == 200:
                    return
            except urllib3.exceptions.HTTPError:
                pass  # it does not listen yet
            time.sleep(0.05)
        said = self.process.log.read_text(errors="replace")[-3000:]
        raise AssertionError(f"kube-apiserver did not start: {said}")

    def grant(self, namespace: str, *rules: Mapping[str, Any]) -> None:
        """Let the user `pipeline` do in `namespace` what the rules of a Role say, and no more."""
        group, name = "rbac.authorization.k8s.io", "granted"
        path = f"/apis/{group}/v1/namespaces/{namespace}"
        role = {"metadata": {"name": name}, "rules": list(rules)}
        self.request("POST", f"{path}/roles", role)
        subject = {"apiGroup": group, "kind": "User", "name": "pipeline"}
        ref = {"apiGroup": group, "kind": "Role", "name": name}
        binding = {"metadata": {"name": name}, "roleRef": ref, "subjects": [subject]}
        self.request("POST", f"{path}/rolebindings", binding)

    def grant_cluster(self, *rules: Mapping[str, Any]) -> None:
        """Let the user `pipeline` do these things in all namespaces, until `revoke_cluster`."""
        group, path = "rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1"
        role = {"metadata": {"name": "granted"}, "rules": list(rules)}
        self.request("POST", f"{path}/clusterroles", role)
        subject = {"apiGroup": group, "kind": "User", "name": "pipeline"}
        ref = {"apiGroup": group, "kind": "ClusterRole", "name": "granted"}
        binding = {"metadata": {"name": "granted"}, "roleRef": ref, "subjects": [subject]}
        self.request("POST", f"{path}/clusterrolebindings", binding)

    def revoke_cluster(self) -> None:
        """Take back what was granted in all namespaces."""
        path = "/apis/rbac.authorization.k8s.io/v1"
        for kind in ("clusterrolebindings", "clusterroles"):
            self.request("DELETE", f"{path}/{kind}/granted")

    def revoke(self, namespace: str) -> None:
        """Take back what was granted there."""
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        for kind in ("rolebindings", "roles"):
            self.request("DELETE", f"{path}/{kind}/granted")

    def install_crd(self, definition: dict[str, Any]) -> None:
        """Create a CustomResourceDefinition, and wait until it is established.

        The API server of 1.20 refuses a default of "", which newer definitions have.
        """
        _strip_empty_defaults(definition)
        group = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        self.request("POST", group, definition)
        name = definition["metadata"]["name"]
        self._until(lambda: _established(self.request("GET", f"{group}/{name}")), name)
        version = definition["spec"]["versions"][0]["name"]
        served = f"/apis/{definition['spec']['group']}/{version}"
        self._until(lambda: self._status(served) == 200, served)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        content_type: str = "application/json",
    ) -> Any:
        """Send one request as the admin, and return the answer's JSON; raises Gone for a 404."""
        headers = {"Authorization": f"Bearer {self.tokens['admin']}", "Content-Type": content_type}
        response = self._pool().request(method, self.url + path, json=body, headers=headers)
        said = f"{method} {path}: {response.status} {response.data!r}"
        if response.status == 404:
            raise Gone(said)
        assert response.status < 300, said
        return response.json()

    def asked(self, user: str) -> Iterator[Asked]:
        """Yield each request of `user`, from the API server's audit log."""
        for line in (self.folder / AUDIT).read_text().splitlines():
            event = json.loads(line)
            if event["user"]["username"] == user:
                of, code = event.get("objectRef") or {}, event["responseStatus"]["code"]
                sub = f"/{of['subresource']}" if "subresource" in of else ""
                kind, where = f"{of.get('resource', '')}{sub}", of.get("namespace", "")
                yield Asked(of.get("apiGroup", ""), kind, event["verb"], where, code)

    def _status(self, path: str) -> int:
        headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
        return self._pool().request("GET", self.url + path, headers=headers).status

    def _pool(self) -> urllib3.PoolManager:
        return urllib3.PoolManager(
            ssl_context=ssl.create_default_context(cafile=self.ca_file), retries=False
        )

    def _until(self, done: Any, what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not done():
            assert time.monotonic() < deadline, f"the API server does not serve {what}"
            time.sleep(0.05)


@contextmanager
def kube_server(assets: Path, folder: Path) -> Iterator[KubeServer]:
    """Start etcd and kube-apiserver from `assets` with all their files in `folder`."""
    with kept_ports(3) as ports, _started(assets, folder, *ports) as server:
        server.await_ready()
        yield server


@contextmanager
def _started(assets: Path, folder: Path, etcd: int, peer: int, port: int) -> Iterator[KubeServer]:
    tokens = {user: canary.secret(secrets.token_hex(16)) for user in GROUPS}
    certificate, key = _certificate(folder)
    _write_tokens(folder / "tokens.csv", tokens)
    store = Process(_etcd(assets, folder, etcd, peer), folder / "etcd.log")
    (folder / AUDIT).touch()  # written at the first request that counts
    (folder / "audit.yaml").write_text(yaml.safe_dump(POLICY), encoding="utf-8")
    argv = _apiserver(assets, folder, etcd, port, certificate, key)
    with store, Process(argv, folder / "kube-apiserver.log") as process:
        yield KubeServer(f"https://127.0.0.1:{port}", certificate, folder, tokens, process)


def _etcd(assets: Path, folder: Path, port: int, peer: int) -> list[str]:
    clients, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    return [
        str(assets / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
    ]


def _apiserver(
    assets: Path, folder: Path, etcd: int, port: int, certificate: Path, key: Path
) -> list[str]:
    return [
        str(assets / "kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        f"--tls-cert-file={certificate}",
        f"--tls-private-key-file={key}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--audit-policy-file={folder / 'audit.yaml'}",
        f"--audit-log-path={folder / AUDIT}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-signing-key-file={key}",
        f"--service-account-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/24",
        # No controller makes the default service account that this plugin asks of each pod.
        "--disable-admission-plugins=ServiceAccount",
    ]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make one self-signed certificate of both names; its key signs service account tokens too."""
    certificate, key = folder / "server.crt", folder / "server.key"
    argv = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    argv += ["-subj", "/CN=127.0.0.1", "-addext", f"subjectAltName=IP:127.0.0.1,DNS:{NAME}"]
    argv += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key


def _write_tokens(path: Path, tokens: Mapping[str, str]) -> None:
    lines = [f'{token},{user},{user},"{GROUPS[user]}"\n' for user, token in tokens.items()]
    path.touch(mode=0o600)
    path.write_text("".join(lines), encoding="utf-8")


def _established(definition: dict[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _strip_empty_defaults(node: Any) -> None:
    if isinstance(node, dict):
        if "type" in node and node.get("default") == "":
            del node["default"]
        for child in node.values():
            _strip_empty_defaults(child)
    elif isinstance(node, list):
        for child in node:
            _strip_empty_defaults(child)
