"""Where a campaign's runs work: a Hub, two OCI registries and a Model Registry, behind proxies."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import yaml

from tests.byte_path import REPO, safetensors, tiny
from tests.campaigns.schedule import Peer
from tests.campaigns.standing import whole
from tests.campaigns.streaming_proxy import Passage, StreamingProxy
from tests.servers.docker_registry import DockerRegistry, free_port
from tests.servers.hub import HubServer
from tests.servers.model_registry import ModelRegistryServer

MINIATURE: Final = (sys.executable, "-m", "tests.campaigns.miniature")
ROOT: Final = Path(__file__).resolve().parents[2]
LIMIT: Final = 120.0
"""Seconds that a run may take here; scaled as its timeouts are, none comes near it."""
Meet = Callable[[str, str], Passage]


def files() -> dict[str, bytes]:
    """Return a model in miniature: three shards with a layer each, and small files."""
    shards = [f"model-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    index = {"weight_map": {f"w{at}": name for at, name in enumerate(shards)}}
    others = (".bin", "model.safetensors")
    small = {path: data for path, data in tiny().items() if not path.endswith(others)}
    weights = {name: safetensors(400_000 + 300_000 * at, at) for at, name in enumerate(shards)}
    return {**small, **weights, "model.safetensors.index.json": json.dumps(index).encode()}


@dataclass(frozen=True)
class Servers:
    """What runs for all runs of a campaign; `base` is an image there, `layout` the same on disk."""

    hub: HubServer
    oci_registry: DockerRegistry
    mirror: DockerRegistry
    layout: str
    base: str
    port: int
    """Where the OCI registry is met by every run, since an image says where its base came from."""


@dataclass(frozen=True)
class Place:
    """One run's own: its proxies, its Model Registry, its folders."""

    servers: Servers
    folder: Path
    repository: str
    model_registry: ModelRegistryServer
    hosts: Mapping[Peer, str]
    absent: Mapping[Peer, str]
    """Where a run looks for a peer in vain."""
    base_at_registry: bool
    repo: str = REPO
    program: Sequence[str] = MINIATURE
    namespace: str = ""
    """Where it deploys; nowhere unless it is named."""
    variables: Mapping[str, str] = field(default_factory=dict)

    def named(self, peer: Peer) -> str:
        """Return the host by which a run knows the peer."""
        return self.absent.get(peer, self.hosts[peer])

    def healed(self) -> "Place":
        """Return the same with every peer there."""
        return replace(self, absent={})

    @property
    def image(self) -> str:
        """What the run's image is called, without its digest."""
        return f"{self.hosts['oci_registry']}/{self.repository}/{self._model}"

    @property
    def _model(self) -> str:
        return self.repo.partition("/")[2]

    def begin(self, *options: str, work: str = "work") -> subprocess.Popen[str]:
        """Start the run in a process of its own."""
        self.write_site()
        argv = [*self.program, "run", f"hf://{self.repo}"]
        where = ["--site", "site.yaml", "--out", "out", "--workdir", work, "--json"]
        return subprocess.Popen(
            [*argv, *where, *options],
            cwd=self.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def write_site(self) -> None:
        """Write the site file and make the folder of temporary files, where they are not so."""
        (self.folder / "tmp").mkdir(exist_ok=True)
        site, text = self.folder / "site.yaml", yaml.safe_dump(self._site())
        if not site.exists() or site.read_text() != text:
            site.write_text(text)

    def _site(self) -> dict[str, Any]:
        oci_registry, servers = self.named("oci_registry"), self.servers
        base = f"{oci_registry}/{servers.base}" if self.base_at_registry else servers.layout
        return {
            "hub": f"http://{self.named('hub')}",
            "images": {"base": base},
            "oci_registry": f"{oci_registry}/{self.repository}",
            "mirror": f"{self.named('mirror')}/{self.repository}",
            "model_registry": f"{self._scheme('model_registry')}://{self.named('model_registry')}",
            **({"namespace": self.namespace} if self.namespace else {}),
        }

    def _scheme(self, peer: Peer) -> str:
        return "https" if self.named(peer).endswith(".invalid") else "http"

    def run(self, *options: str, work: str = "work") -> subprocess.CompletedProcess[str]:
        """Run to the end; raise TimeoutExpired for one that hangs."""
        return ended(self.begin(*options, work=work))

    def stand(self) -> tuple[str | None, str | None]:
        """Return the digests at the OCI registry and the mirror, once all below them is whole."""
        repository = f"{self.repository}/{self._model}"
        tag = f"1-{self.servers.hub.commit(self.repo)[:7]}"
        hosts = (self.servers.oci_registry.host, self.servers.mirror.host)
        at_first, at_mirror = (whole(host, repository, tag) for host in hosts)
        return at_first, at_mirror

    def hold(self, digest: str) -> None:
        """Have the image of `digest` stand everywhere, and one version name it."""
        assert self.stand() == (digest, digest)
        assert self.registered() == [f"oci://{self.image}@{digest}"]

    def registered(self) -> list[str]:
        """Return the URIs of all artifacts, once there is one of each thing at most."""
        store = self.model_registry.store
        for kind in ("model", "version", "artifact"):
            assert len(store.all(kind)) <= 1, store.all(kind)
        return [artifact["uri"] for artifact in store.all("artifact")]

    def _environment(self) -> dict[str, str]:
        own = {
            "TMPDIR": str(self.folder / "tmp"),
            "PYTHONPATH": f"{ROOT}/src:{ROOT}",
            "COLUMNS": "100",
        }
        return {**os.environ, **own, **self.variables}


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a run's end."""
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        process.kill()
        _, err = process.communicate()
        raise AssertionError(f"it hung for {LIMIT:g} s: {err}") from error
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextmanager
def place(
    servers: Servers,
    folder: Path,
    repository: str,
    meet: Mapping[Peer, Meet],
    *,
    absent: Mapping[Peer, str],
    base_at_registry: bool,
    event: Callable[[], object] = lambda: None,
) -> Iterator[Place]:
    """Have proxies before every server, of which `absent` says where a run looks in vain."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        model_registry = stack.enter_context(ModelRegistryServer())
        upstreams: dict[Peer, str] = {
            "hub": servers.hub.url.partition("://")[2],
            "oci_registry": servers.oci_registry.host,
            "mirror": servers.mirror.host,
            "model_registry": model_registry.url.partition("://")[2],
        }
        hosts: dict[Peer, str] = {}
        for peer, upstream in upstreams.items():
            port = servers.port if peer == "oci_registry" else 0
            proxy = stack.enter_context(StreamingProxy(upstream, meet[peer], event, port))
            hosts[peer] = proxy.host
        found = (servers, folder, repository, model_registry, hosts, absent, base_at_registry)
        yield Place(*found)


def nowhere(kind: str) -> str:
    """Return an address at which a run finds nobody."""
    return "nowhere.invalid" if kind == "no such name" else f"127.0.0.1:{free_port()}"


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """Return what a run that went well printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the error of a run that failed, once it is one line of ours with a remedy.

    Notes may follow it, a line each, further in.
    """
    assert done.returncode in (1, 2), done.stderr
    assert not done.stdout
    assert "Traceback" not in done.stderr, done.stderr
    lines = done.stderr.splitlines()
    while lines[-1].startswith("  "):
        lines.pop()
    line = lines[-1]
    assert line.startswith("modelcar: "), done.stderr
    assert "; " in line, line
    return line
