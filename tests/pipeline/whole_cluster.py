"""A whole cluster's worth of servers, and runs of the pipeline with them.

Hub, OCI registry and Model Registry speak TLS of a private CA, by names that only a proxy leads
to; the OCI registry asks for a password. An API server knows KServe and Argo, and the account of
the pipeline has just the rights that its Role gives.
"""

import dataclasses
import hashlib
import json
import multiprocessing
import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3

from modelcar.bootstrap.rights import rules
from modelcar.lease import ANNOTATION
from tests import canary
from tests.auth_files import htpasswd
from tests.byte_path import safetensors, tiny
from tests.cage import Cage, refusal
from tests.containerfile import Containerfile
from tests.internal_site import CDN, HUB, IMAGES, MODELS, PASSWORD, USER, InternalSite
from tests.pipeline.compiled_file import ROOT
from tests.pipeline.eventful_hub import EventfulHub
from tests.pipeline.host_runner import Cluster, Run, Trouble, run
from tests.pipeline.world import logins, push
from tests.servers import busybox_base
from tests.servers.argo import Namespace, Node
from tests.servers.certificate import self_signed
from tests.servers.docker_registry import DockerRegistry
from tests.servers.forward_proxy import ForwardProxy
from tests.servers.kserve import MERGE, KServe
from tests.servers.kube import AUDIT, KubeServer
from tests.servers.model_registry import ModelRegistryServer
from tests.servers.vllm import VllmServer
from tests.serving_site import Site

REPO, NAME, VERSION, CLAIM = "example/sharded", "sharded", "1.0", "modelcar"
FIRST, SECOND = (f"model-0000{number}-of-00002.safetensors" for number in (1, 2))
SHARD: Final = 400_000
FILES: Final = {
    "README.md": b"---\nlicense: apache-2.0\n---\n# sharded\n",
    "config.json": b'{"architectures": ["LlamaForCausalLM"]}',
    FIRST: safetensors(SHARD, 1),
    SECOND: safetensors(SHARD, 2),
    "model.safetensors.index.json": json.dumps({"weight_map": {"w": FIRST, "v": SECOND}}).encode(),
    "tokenizer.json": b"{}",
}
OTHER: Final = "example/other"
_PATHS: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class WholeCluster:
    """The servers, one namespace, and how tasks run: `pipeline` is a compiled file."""

    folder: Path
    internal: InternalSite
    hub: EventfulHub
    serving: Site
    namespace: Namespace
    pipeline: Path
    trusted: Path
    account: Path
    cage: Cage | None = None

    @property
    def claim(self) -> Path:
        """The folder that stands for the volume claim."""
        return self.folder / "claim"

    @property
    def work(self) -> Path:
        return self.claim / "modelcar"

    def run(self, run_id: str, trouble: Trouble | None = None, /, **arguments: str) -> Run:
        """Run the pipeline with every target, but for what `arguments` say otherwise."""
        return run(self.pipeline, self.cluster, run_id, trouble, **{**self.arguments, **arguments})

    def begin(self, run_id: str, **arguments: str) -> "Future[Run]":
        """Begin such a run in a process of its own."""
        pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
        given = {**self.arguments, **arguments}
        begun = pool.submit(run, self.pipeline, self.cluster, run_id, None, **given)
        pool.shutdown(wait=False)
        return begun

    def first_shard(self, work: Path) -> Path:
        """Return where the first shard lies in a work folder once it is whole."""
        return work / REPO.replace("/", "--") / FIRST

    @property
    def cluster(self) -> Cluster:
        internal = self.internal
        secrets = {"registry-auth": internal.auth_file.parent}
        secrets |= {"odh-trusted-ca-bundle": self.trusted}
        variables = {"KUBECONFIG": str(self.account / "config")}
        variables |= dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://{internal.proxy.host}")
        scratch = self.folder / "scratch"
        return Cluster(scratch, secrets, self.cage, self.claim, variables, self.namespace)

    @property
    def arguments(self) -> dict[str, str]:
        internal = self.internal
        return {
            "hf_repo": REPO,
            "hf_endpoint": internal.hub,
            "model_name": NAME,
            "model_version": VERSION,
            "registry": f"{internal.images}/models",
            "mirror_to": f"{internal.images}/mirror",
            "model_registry_url": internal.models,
            "base_image": internal.base,
            "pvc_name": CLAIM,
            "workdir": str(self.work),
        }

    @property
    def tag(self) -> str:
        return f"{VERSION}-{self.hub.commit(REPO)[:7]}"

    def digest_at(self, repository: str, tag: str = "") -> str:
        """Return the sha256 of the manifest's own bytes, as the OCI registry holds them."""
        headers = urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}")
        headers["Accept"] = "application/vnd.oci.image.manifest.v1+json"
        place = f"{self.internal.oci_registry.host}/v2/{repository}/manifests/{tag or self.tag}"
        with urllib3.PoolManager(ca_certs=str(self.internal.ca)) as pool:
            response = pool.request("GET", f"https://{place}", headers=headers)
        assert response.status == 200, response.data
        return f"sha256:{hashlib.sha256(response.data).hexdigest()}"

    def changes(self) -> "Changes":
        """Return what was moved and written until now."""
        return Changes.of(self)

    @property
    def leases(self) -> dict[str, str]:
        """The runs that hold a model version on the volume claim, as its object says."""
        found = self.serving.server.request("GET", self._claim_object)
        annotations = found["metadata"].get("annotations", {})
        return dict(json.loads(annotations.get(ANNOTATION, "{}")))

    def let(self, holders: Mapping[str, str]) -> None:
        """Have these runs hold the model versions, and no other."""
        patch = {"metadata": {"annotations": {ANNOTATION: json.dumps(holders)}}}
        self.serving.server.request("PATCH", self._claim_object, patch, MERGE)

    @property
    def _claim_object(self) -> str:
        return f"/api/v1/namespaces/{self.namespace.name}/persistentvolumeclaims/{CLAIM}"

    def record(self, run_id: str, stage: str, work: Path | None = None) -> dict[str, Any]:
        """Return a stage's record in a work folder on the volume claim."""
        (path,) = ((work or self.work) / "records" / run_id).glob(f"*-{stage}.json")
        return dict(json.loads(path.read_text()))


@dataclass(frozen=True)
class Changes:
    """What has been moved and written until now, on all servers."""

    weights: int
    uploads: list[str]
    registered: list[str]
    objects: list[str]
    """Of the API server: verb and kind of each request that writes."""

    @classmethod
    def of(cls, cluster: WholeCluster) -> "Changes":
        internal = cluster.internal
        asked = internal.oci_registry.asked()
        return cls(
            sum(map(cluster.hub.fetched, (FIRST, SECOND))),
            [line for line in asked if line.startswith("PATCH")],
            list(internal.model_registry.writes),
            list(_written(cluster.serving.server)),
        )


def _written(kube: KubeServer) -> Iterator[str]:
    """Yield what the account has written, from the audit log; dry runs and questions are none."""
    for line in (kube.folder / AUDIT).read_text().splitlines():
        event = json.loads(line)
        kind = (event.get("objectRef") or {}).get("resource", "")
        writes = event["verb"] in ("create", "update", "patch", "delete")
        if writes and "dryRun=" not in event["requestURI"] and kind != "selfsubjectaccessreviews":
            yield f"{event['verb']} {kind}"


@contextmanager
def start(kube: KubeServer, pipeline: Path, folder: Path) -> Iterator[WholeCluster]:
    """Start all servers but `kube`, with all their files in `folder`; tasks run in no cage."""
    namespace = f"runs-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    kube.grant(namespace, *rules("namespace"))
    make_claim(kube, namespace)
    for name in ("claim", "scratch"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o775)  # the group is 0 in a cage, and here
    with ExitStack() as stack:
        internal, hub = _internal(stack, folder)
        node = stack.enter_context(Node(kube, folder / "logs"))
        place = Namespace.of(kube, namespace, node.node, folder / "logs")
        vllm = stack.enter_context(VllmServer(NAME))
        serving = Site(kube, namespace, vllm)
        serving.add_runtime("vllm-cuda-runtime")
        stack.enter_context(KServe(kube, namespace, vllm.url))
        trusted, account = _trusted(folder, internal), _account(folder, kube, namespace)
        yield WholeCluster(folder, internal, hub, serving, place, pipeline, trusted, account)


def _internal(stack: ExitStack, folder: Path) -> tuple[InternalSite, EventfulHub]:
    tls = self_signed(folder / "tls", HUB, CDN, IMAGES, MODELS)
    enter = stack.enter_context
    hub = enter(EventfulHub({REPO: FILES, OTHER: tiny()}, tls=tls, cdn=CDN))
    asking = htpasswd(folder / "htpasswd", USER, PASSWORD)
    oci_registry = enter(DockerRegistry(folder / "oci-registry", htpasswd=asking, tls=tls))
    models, proxy = enter(ModelRegistryServer(tls=tls)), enter(ForwardProxy())
    images = f"{IMAGES}:{oci_registry.port}"
    auth = logins(folder / "registry-auth", USER, PASSWORD, images, oci_registry.host)
    pushed = push(busybox_base.make(folder / "base"), f"{oci_registry.host}/ubi9/base", auth)
    base = pushed.replace(oci_registry.host, images)
    return InternalSite(folder, tls[0], auth, hub, oci_registry, models, proxy, base), hub


def make_claim(kube: KubeServer, namespace: str) -> None:
    """Make a bound volume claim of 1 GiB."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    kube.request("POST", path, {"metadata": {"name": CLAIM}, "spec": spec})
    status = {"phase": "Bound", "capacity": {"storage": "1Gi"}}
    kube.request("PATCH", f"{path}/{CLAIM}/status", {"status": status}, MERGE)


def _trusted(folder: Path, internal: InternalSite) -> Path:
    """Write the config map of CAs as OpenShift AI puts it into a namespace."""
    path = folder / "trusted"
    path.mkdir()
    (path / "ca-bundle.crt").write_bytes(internal.ca.read_bytes())
    (path / "odh-ca-bundle.crt").write_text("\n")
    return path


def _account(folder: Path, kube: KubeServer, namespace: str) -> Path:
    """Write a kubeconfig file of the pipeline's account, and the API server's CA, into a folder."""
    path = canary.planted(folder / "account")
    path.mkdir()
    (path / "ca.crt").write_bytes(kube.ca_file.read_bytes())
    text = kube.kubeconfig("pipeline", namespace).read_text()
    (path / "config").write_text(text.replace(str(kube.ca_file), str(path / "ca.crt")))
    return path


def caged(cluster: WholeCluster, root: Path) -> WholeCluster:
    """Have tasks run as the restricted policy wants it, in an image that is this environment.

    Where this machine allows that; else they run as this process does.
    """
    if refusal():
        return cluster
    base = Path(sys.base_prefix)
    shown = [Path(sys.prefix), ROOT / "src", cluster.trusted, cluster.account]
    shown += [cluster.internal.auth_file.parent]
    shown += [] if base.is_relative_to("/usr") else [base]
    variables = {
        name: value.replace("/opt/app-root", sys.prefix).replace("$PATH", _PATHS)
        for name, value in Containerfile.read().pairs("ENV").items()
    }
    cage = Cage(root, cluster.folder, shown, variables)
    return dataclasses.replace(cluster, cage=cage)


def lies_there(path: Path, seconds: float = 120.0) -> None:
    """Return once there is a file; fail when it does not come."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not come"
        time.sleep(0.02)
