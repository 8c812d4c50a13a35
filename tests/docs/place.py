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
from tests import auth_files
from tests.docs import names, openshift_ai, servers
from tests.docs.clone import Clone
from tests.docs.names import Names
from tests.docs.openshift_ai import NAMESPACE, OpenShiftAI
from tests.docs.pipeline_runs import PipelineRuns
from tests.docs.servers import HUB_TOKEN, PASSWORD, USER, Servers
from tests.servers.certificate import self_signed
from tests.servers.kube import KubeServer

WORDS: Final = {"hf_your-token": HUB_TOKEN, "your-password": PASSWORD}
"""What stands in a page for a secret of the user's."""
LOGINS: Final = ("quay.io", "ghcr.io", "harbor.example.com", "registry.example.com")


@dataclass
class Place:
    """The servers of one page, and the user's folder; `cluster` is None where there is none."""

    clone: Clone
    ca: Path
    proxy: Names
    servers: Servers
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
        ca = str(self.ca)
        trusted = dict.fromkeys(("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), ca)
        return {**self.clone.environment(), **self.network, **trusted}

    @property
    def network(self) -> dict[str, str]:
        """What leads to the servers by their names."""
        return dict.fromkeys(("HTTPS_PROXY", "https_proxy"), f"http://{self.proxy.host}")

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
        running = servers.start(stack, folder, tls, kube)
        proxy = stack.enter_context(Names(running.ports))
        clone = Clone(folder, running.push_defaults(folder, base))
        found = Place(clone, tls[0], proxy, running)
        if kube:
            _add_cluster(stack, found, kube, folder)
        yield found


def _add_cluster(stack: ExitStack, place: Place, kube: KubeServer, folder: Path) -> None:
    pipelines, vllm = place.servers.pipelines, place.servers.vllm
    cluster = stack.enter_context(openshift_ai.installed(kube, pipelines, vllm, place.ca))
    place.clone.add_oc(kube.kubeconfig(), list(cluster.belongings().values()))
    outside = (folder / "runs", place.network, place.ca)
    place.runs = stack.enter_context(PipelineRuns(pipelines, kube, NAMESPACE, *outside))
    place.cluster = cluster
