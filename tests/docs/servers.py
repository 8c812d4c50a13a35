"""The servers of one page: a Hub, OCI registries, a Model Registry, pipelines and a vLLM."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelcar.oci.reference import DigestReference
from tests import auth_files, canary
from tests.docs import hub_repositories, names
from tests.docs.controllers import PUSH_TOKEN
from tests.docs.names import port_of
from tests.pipeline.world import push
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.kube import KubeServer
from tests.servers.model_registry import ModelRegistryServer
from tests.servers.pipelines_server import PipelinesServer
from tests.servers.vllm import VllmServer

HUB_TOKEN: Final = canary.secret("hub")
USER, PASSWORD = "me", canary.secret("robot")
_DEFAULTS: Final = {
    "BASE": "registry.access.redhat.com/ubi9/ubi-micro",
    "PYTHON": "registry.access.redhat.com/ubi9/python-312",
    "SKOPEO": "quay.io/skopeo/stable",
}
Tls = tuple[Path, Path]


@dataclass(frozen=True)
class Servers:
    """All of them, running."""

    hub: HubServer
    red_hat: DockerRegistry
    quay: DockerRegistry
    others: DockerRegistry
    inside: DockerRegistry
    model_registry: ModelRegistryServer
    pipelines: PipelinesServer
    vllm: VllmServer

    @property
    def ports(self) -> dict[str, int]:
        """Return the port of each name; the first that fits counts."""
        return {
            **dict.fromkeys((*names.HUB, names.CDN), port_of(self.hub)),
            **dict.fromkeys(names.RED_HAT, self.red_hat.port),
            **dict.fromkeys(names.QUAY, self.quay.port),
            **dict.fromkeys(names.OTHERS, self.others.port),
            **dict.fromkeys(names.INSIDE, self.inside.port),
            **dict.fromkeys(names.MODEL_REGISTRY, port_of(self.model_registry)),
            **dict.fromkeys(names.SERVED, port_of(self.vllm)),
        }

    def push_defaults(self, folder: Path, base: DigestReference) -> dict[str, str]:
        """Have images stand where the defaults are; return each by its constant's name."""
        login = {self.quay.host: auth_files.entry(USER, PASSWORD)}
        auth = auth_files.write(folder / "push" / "auth.json", **login)
        found = {}
        for constant, name in _DEFAULTS.items():
            host, _, repository = name.partition("/")
            server = self.quay if host == "quay.io" else self.red_hat
            pushed = push(base, f"{server.host}/{repository}", auth)
            found[constant] = f"{name}@{pushed.partition('@')[2]}"
        return found


def start(stack: ExitStack, folder: Path, tls: Tls, kube: KubeServer | None) -> Servers:
    """Start them, with their files in `folder`; whoever is the cluster's admin may use all."""
    enter = stack.enter_context
    logins = auth_files.htpasswd(folder / "htpasswd", USER, PASSWORD)
    token = kube.tokens["admin"] if kube else canary.secret("cluster")
    return Servers(
        enter(_hub(tls)),
        enter(DockerRegistry(folder / "red-hat", tls=tls)),
        enter(DockerRegistry(folder / "quay", htpasswd=logins, tls=tls)),
        enter(DockerRegistry(folder / "others", htpasswd=logins, tls=tls)),
        enter(DockerRegistry(folder / "inside", htpasswd=_insiders(folder, token), tls=tls)),
        enter(ModelRegistryServer(tls=tls)),
        enter(PipelinesServer(tls, {token})),
        enter(VllmServer(tls=tls)),
    )


def _hub(tls: Tls) -> HubServer:
    gated, private = hub_repositories.GATED, (hub_repositories.PRIVATE,)
    return HubServer(
        hub_repositories.repositories(),
        token=HUB_TOKEN,
        tls=tls,
        cdn=names.CDN,
        gated=gated,
        private=private,
        granted=(*gated, *private),
    )


def _insiders(folder: Path, admin: str) -> Path:
    """Write who may push inside: each token, with a user name that is usual for it."""
    path = auth_files.htpasswd(folder / "insiders", "token", PUSH_TOKEN)
    user = auth_files.htpasswd(folder / "insider", "admin", admin)
    path.write_bytes(path.read_bytes() + user.read_bytes())
    return path
