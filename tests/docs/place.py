"""The place in which the commands of a page run: a user's machine, and all that it speaks to.

A page of docs/ that shows commands has a row in PAGES of `prepared.py`. Its commands run in one
session of bash, in order, in a folder like a fresh clone after `make setup` (`site.example.yaml`,
`models/`, `compiled/`, `manifests/`, `scripts/` …; no `site.yaml`), and each must exit 0 and print
what is shown. How a page shows them: `pages.py`. What is there under its real name:

- huggingface.co (also as hub.example.com): the repositories of `hub_repositories.py`, public, gated
  and private ones. `hf_your-token` in a command stands for a token that may read all of them;
  without HF_TOKEN the user is nobody.
- registry.access.redhat.com and quay.io with the images that a run uses by default, which have
  other digests here; quay.io (also registry.example.com), ghcr.io, harbor.example.com and
  *.dkr.ecr.eu-central-1.amazonaws.com ask for the login `me` with `your-password`, which
  `login` gives the user as skopeo keeps it. The cluster's own OCI registry, by the names of its
  Service (port 5000) and its Route, takes the token of `modelcar-push`, or that of `oc whoami -t`.
- modelregistry-rest.apps.example.com: a Model Registry.
- With KUBEBUILDER_ASSETS and KSERVE_CRDS: a cluster with OpenShift AI (`openshift_ai.py`), as whose
  administrator `oc login` logs in, with three GPU nodes (two g6.4xlarge, one g6.12xlarge), and for
  the namespace `models` a KServe, a vLLM and a pipelines server. A run that is looked at (`submit
  --wait`) has succeeded; where the page's row sets `runs.real`, it really runs. `oc` is kubectl and
  what OpenShift's adds. Without the two, commands of blocks marked `<!-- cluster -->` are left out,
  and the test is skipped once the others have run.
- Names below apps.example.com are endpoints. All speak TLS that the user's system trusts.

What a page needs besides, its row does before: a function that is given the Place, such as
`ready`, which makes the namespace `models` ready as `modelcar bootstrap` does, and logs in.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelcar.oci.reference import DigestReference
from tests import auth_files, canary
from tests.docs import hub_repositories, names, openshift_ai
from tests.docs.clone import Clone
from tests.docs.controllers import PUSH_TOKEN
from tests.docs.names import Names, port_of
from tests.docs.openshift_ai import NAMESPACE, OpenShiftAI
from tests.docs.pipeline_runs import PipelineRuns
from tests.pipeline.world import push
from tests.servers.certificate import self_signed
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.kube import KubeServer
from tests.servers.model_registry import ModelRegistryServer
from tests.servers.pipelines_server import PipelinesServer
from tests.servers.vllm import VllmServer

HUB_TOKEN: Final = canary.secret("hub")
PASSWORD: Final = canary.secret("robot")
USER: Final = "me"
WORDS: Final = {"hf_your-token": HUB_TOKEN, "your-password": PASSWORD}
"""What stands in a page for a secret of the user's."""
LOGINS: Final = ("quay.io", "ghcr.io", "harbor.example.com", "registry.example.com")
_DEFAULTS: Final = {
    "BASE": "registry.access.redhat.com/ubi9/ubi-micro",
    "PYTHON": "registry.access.redhat.com/ubi9/python-312",
    "SKOPEO": "quay.io/skopeo/stable",
}


@dataclass
class Place:
    """The servers of one page, and the user's folder; `cluster` is None where there is none."""

    clone: Clone
    ca: Path
    proxy: Names
    hub: HubServer
    quay: DockerRegistry
    others: DockerRegistry
    inside: DockerRegistry
    model_registry: ModelRegistryServer
    pipelines: PipelinesServer
    cluster: OpenShiftAI | None = None
    runs: PipelineRuns | None = None

    @property
    def folder(self) -> Path:
        """The clone that the commands run in."""
        return self.clone.folder

    def login(self, *hosts: str) -> None:
        """Have the user be logged in at OCI registries."""
        path = self.clone.home / "run" / "containers" / "auth.json"
        logins = dict.fromkeys(hosts or LOGINS, auth_files.entry(USER, PASSWORD))
        auth_files.write(path, **logins)

    def site(self, **fields: object) -> None:
        """Write site.yaml."""
        (self.folder / "site.yaml").write_text(json.dumps(fields))

    def environment(self) -> dict[str, str]:
        proxy, ca = f"http://{self.proxy.host}", str(self.ca)
        told = {"HTTPS_PROXY": proxy, "https_proxy": proxy}
        told |= dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), ca)
        return {**self.clone.environment(), **told}

    def typed(self, text: str) -> str:
        """Return what the user types for a command of a page: the secrets are the user's own."""
        for word, secret in WORDS.items():
            text = text.replace(word, secret)
        return text


@contextmanager
def place(folder: Path, base: DigestReference, kube: KubeServer | None) -> Iterator[Place]:
    """Start all servers of one page, with their files and the user's in `folder`."""
    tls = self_signed(folder / "tls", *names.CERTIFIED)
    with ExitStack() as stack:
        enter = stack.enter_context
        hub = enter(_hub(tls))
        logins = auth_files.htpasswd(folder / "htpasswd", USER, PASSWORD)
        red_hat = enter(DockerRegistry(folder / "red-hat", tls=tls))
        quay = enter(DockerRegistry(folder / "quay", htpasswd=logins, tls=tls))
        others = enter(DockerRegistry(folder / "others", htpasswd=logins, tls=tls))
        inside = enter(DockerRegistry(folder / "inside", htpasswd=_insiders(folder, kube), tls=tls))
        models = enter(ModelRegistryServer(tls=tls))
        token = kube.tokens["admin"] if kube else canary.secret("cluster")
        pipelines = enter(PipelinesServer(tls, {token}))
        vllm = enter(VllmServer(tls=tls))
        proxy = enter(Names(_ports(hub, red_hat, quay, others, inside, models, vllm)))
        clone = Clone(folder, _push_defaults(folder, base, red_hat, quay))
        found = Place(clone, tls[0], proxy, hub, quay, others, inside, models, pipelines)
        if kube:
            found.cluster = enter(openshift_ai.installed(kube, pipelines, vllm, tls[0]))
            clone.add_oc(kube.kubeconfig(), list(found.cluster.belongings().values()))
            outside = {name: found.environment()[name] for name in ("HTTPS_PROXY", "https_proxy")}
            where = (NAMESPACE, folder / "runs", outside, tls[0])
            found.runs = enter(PipelineRuns(pipelines, kube, *where))
        yield found


def _hub(tls: tuple[Path, Path]) -> HubServer:
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


def _insiders(folder: Path, kube: KubeServer | None) -> Path:
    """Write who may push inside: whoever has a token, under any of the names that are usual."""
    path = auth_files.htpasswd(folder / "insiders", "token", PUSH_TOKEN)
    if kube:
        user = auth_files.htpasswd(folder / "insider", "admin", kube.tokens["admin"])
        path.write_bytes(path.read_bytes() + user.read_bytes())
    return path


def _ports(
    hub: HubServer,
    red_hat: DockerRegistry,
    quay: DockerRegistry,
    others: DockerRegistry,
    inside: DockerRegistry,
    models: ModelRegistryServer,
    vllm: VllmServer,
) -> dict[str, int]:
    """Return the port of each name; the first that fits counts."""
    return {
        **dict.fromkeys((*names.HUB, names.CDN), port_of(hub)),
        **dict.fromkeys(names.RED_HAT, red_hat.port),
        **dict.fromkeys(names.QUAY, quay.port),
        **dict.fromkeys(names.OTHERS, others.port),
        **dict.fromkeys(names.INSIDE, inside.port),
        **dict.fromkeys(names.MODEL_REGISTRY, port_of(models)),
        **dict.fromkeys(names.SERVED, port_of(vllm)),
    }


def _push_defaults(
    folder: Path, base: DigestReference, red_hat: DockerRegistry, quay: DockerRegistry
) -> dict[str, str]:
    """Have images of busybox stand where the defaults are; return each by its constant's name."""
    auth = auth_files.write(
        folder / "push" / "auth.json", **{quay.host: auth_files.entry(USER, PASSWORD)}
    )
    found = {}
    for constant, name in _DEFAULTS.items():
        host, _, repository = name.partition("/")
        server = quay if host == "quay.io" else red_hat
        pushed = push(base, f"{server.host}/{repository}", auth)
        found[constant] = f"{name}@{pushed.partition('@')[2]}"
    return found
