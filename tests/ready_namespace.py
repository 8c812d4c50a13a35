"""What the tests of bootstrap share: a namespace of an OpenShift, and what stands around it."""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modelcar.bootstrap.applying import Outcome
from modelcar.bootstrap.asked import Request
from modelcar.bootstrap.namespace import bootstrap
from modelcar.bootstrap.removal import remove
from tests.byte_path import modelcar, told
from tests.servers import openshift
from tests.servers.kserve import MERGE
from tests.servers.kube import KubeServer

ENV: Final = """# the predecessor's
HF_TOKEN=hf_C4naryBird-one
QUAY_USERNAME="team+robot"
QUAY_PASSWORD='pass C4naryBird #1'
OTHER=left-alone
"""
HIDDEN: Final = ("hf_C4naryBird-one", "pass C4naryBird #1", "C4naryBird-push")
RBAC: Final = "rbac.authorization.k8s.io/v1"
DOCKER: Final = "kubernetes.io/dockerconfigjson"
TEMPLATES: Final = "/apis/template.openshift.io/v1/namespaces/redhat-ods-applications/templates"
EVERYTHING: Final = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
BESIDE: Final = ("redhat-ods-applications", "rhoai-model-registries")
OPEN_DATA_HUB: Final = ("opendatahub", "odh-model-registries")


@dataclass
class Cluster:
    """One namespace of an OpenShift with a pipelines server and a Model Registry."""

    kube: KubeServer
    namespace: str
    folder: Path

    def run(self, *options: str, user: str = "admin", **variables: str) -> Any:
        """Run bootstrap, without waiting for a token that no controller writes here."""
        given = {"KUBECONFIG": str(self.kube.kubeconfig(user, self.namespace)), **variables}
        return modelcar(self.folder, "bootstrap", "--wait", "0", *options, **given)

    def ready(self, *options: str) -> list[dict[str, str]]:
        """Return what became of each object; no value of a secret is ever said."""
        done = self.run("--env-file", ".env", "--json", *options)
        for hidden in HIDDEN:
            assert hidden not in done.stdout + done.stderr
            assert base64.b64encode(hidden.encode()).decode() not in done.stdout + done.stderr
        found = told(done)
        assert isinstance(found, list)
        return found

    def done(self, user: str = "admin", **asked: Any) -> list[Outcome]:
        """Return what the library makes of it, in this process."""
        api = self.kube.client(user, self.namespace)
        return list(bootstrap(api, Request(self.namespace, **{"wait": 0, **asked})))

    def get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.kube.request("GET", self.path(path))
        return found

    def path(self, path: str) -> str:
        group, _, rest = path.rpartition(":")
        root = f"/apis/{group}" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{rest}"

    def secret(self, name: str) -> dict[str, str]:
        data = self.get(f"secrets/{name}")["data"]
        return {key: base64.b64decode(text).decode() for key, text in data.items()}

    def auths(self, name: str) -> dict[str, Any]:
        """Return the logins in a secret."""
        found: dict[str, Any] = json.loads(self.secret(name)[".dockerconfigjson"])["auths"]
        return found

    def add_secret(self, name: str, type_: str = "Opaque", **texts: str) -> None:
        """Have another make a secret."""
        body = {"metadata": {"name": name}, "type": type_, "stringData": texts}
        self.kube.request("POST", self.path("secrets"), body)

    def add_logins(self, name: str, type_: str = DOCKER) -> None:
        """Have another make a secret of one login."""
        auths = json.dumps({"auths": {"registry.example": {"auth": "eDpDNG5hcnlCaXJk"}}})
        self.add_secret(name, type_, **{".dockerconfigjson": auths})

    def write_token(self) -> None:
        """Write the token of the account that pushes, as a cluster's controller does."""
        token = {"data": {"token": base64.b64encode(b"C4naryBird-push").decode()}}
        self.kube.request("PATCH", self.path("secrets/modelcar-push-token"), token, MERGE)

    def versions(self) -> dict[str, str]:
        """Return the resource version of everything that bootstrap makes here."""
        kinds = ["secrets", "serviceaccounts", "persistentvolumeclaims", f"{RBAC}:roles"]
        kinds += [f"{RBAC}:rolebindings", "image.openshift.io/v1:imagestreams"]
        kinds += ["build.openshift.io/v1:buildconfigs"]
        kinds += ["serving.kserve.io/v1alpha1:servingruntimes"]
        listed = [(kind, one) for kind in kinds for one in self.get(kind)["items"]]
        return {
            f"{kind}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
            for kind, one in listed
        }

    def beside(self) -> set[str]:
        """Return what modelcar made outside: the kind and place of each of its objects."""
        places = [f"/namespaces/{name}" for name in (*BESIDE, *OPEN_DATA_HUB)]
        paths = [f"{place}/{kind}s" for place in places for kind in ("role", "rolebinding")]
        paths += ["/clusterroles", "/clusterrolebindings"]
        label = "labelSelector=app.kubernetes.io/managed-by=modelcar-pipelines"
        return {
            f"{path.removeprefix('/namespaces/')}/{one['metadata']['name']}"
            for path in paths
            for one in self.kube.request("GET", f"/apis/{RBAC}{path}?{label}")["items"]
        }


@contextmanager
def openshift_namespace(kube: KubeServer, folder: Path) -> Iterator[Cluster]:
    """Make a namespace with a pipelines server, a Model Registry's Route and a template."""
    (folder / ".env").write_text(ENV)
    found = Cluster(kube, f"ready-{secrets.token_hex(4)}", folder)
    with ExitStack() as stack:
        for name in (*BESIDE, found.namespace):
            make_namespace(kube, name)
        kube.request("POST", found.path("serviceaccounts"), {"metadata": {"name": "default"}})
        group = "datasciencepipelinesapplications.opendatahub.io"
        kind = "DataSciencePipelinesApplication"
        server = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "team"}}
        kube.request("POST", found.path(f"{group}/v1:{group.partition('.')[0]}"), server)
        stack.enter_context(route(kube))
        runtime = openshift.runtime("vllm-cuda-runtime")
        template = openshift.template("vllm-cuda-runtime-template", runtime)
        stack.enter_context(standing(kube, TEMPLATES, template))
        yield found
        # What stands outside the namespace would be seen by the next test.
        list(remove(kube.client(), Request(found.namespace)))


def make_namespace(kube: KubeServer, name: str) -> None:
    there = kube.request("GET", "/api/v1/namespaces")["items"]
    if name not in {one["metadata"]["name"] for one in there}:
        kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})


def drop_namespace(kube: KubeServer, name: str) -> None:
    """Delete a namespace, and finish what a cluster's controller would."""
    path = f"/api/v1/namespaces/{name}"
    kube.request("DELETE", path)
    kube.request("PUT", f"{path}/finalize", {"metadata": {"name": name}, "spec": {}})


@contextmanager
def standing(kube: KubeServer, path: str, body: dict[str, Any]) -> Iterator[None]:
    """Have an object stand for a while."""
    kube.request("POST", path, body)
    try:
        yield
    finally:
        kube.request("DELETE", f"{path}/{body['metadata']['name']}")


def route(kube: KubeServer, name: str = "modelregistry", namespace: str = BESIDE[1]) -> Any:
    """Have a Model Registry's Route stand for a while."""
    path = f"/apis/route.openshift.io/v1/namespaces/{namespace}/routes"
    head = {"apiVersion": "route.openshift.io/v1", "kind": "Route"}
    spec = {"host": f"{name}-rest.apps.example.com"}
    return standing(kube, path, {**head, "metadata": {"name": f"{name}-https"}, "spec": spec})


def states(outcomes: list[dict[str, str]]) -> set[str]:
    return {one["state"] for one in outcomes}
