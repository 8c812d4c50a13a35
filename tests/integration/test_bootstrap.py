"""Making a namespace ready, on a real API server with what OpenShift adds to it."""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from modelcar.bootstrap.rights import RIGHTS
from tests.byte_path import modelcar, refused, told
from tests.servers import openshift
from tests.servers.kserve import MERGE
from tests.servers.kube import KubeServer

ROOT = Path(__file__).resolve().parents[2]
ENV = """# the predecessor's
HF_TOKEN=hf_secret-one
QUAY_USERNAME="team+robot"
QUAY_PASSWORD='pass word #1'
OTHER=left-alone
"""
HIDDEN = ("hf_secret-one", "pass word #1", "hush-hush")
SECRETS = {"huggingface-token", "registry-auth", "quay-pull", "model-registry-config"}


@dataclass
class Cluster:
    """One namespace of an OpenShift with a pipelines server and a Model Registry."""

    kube: KubeServer
    namespace: str
    folder: Path

    def run(self, *options: str, user: str = "admin") -> Any:
        kubeconfig = self.kube.kubeconfig(user, self.namespace)
        return modelcar(self.folder, "bootstrap", *options, KUBECONFIG=str(kubeconfig))

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

    def versions(self) -> dict[str, str]:
        """Return the resource version of everything that bootstrap makes here."""
        rbac = "rbac.authorization.k8s.io/v1"
        kinds = ["secrets", "serviceaccounts", "persistentvolumeclaims", f"{rbac}:roles"]
        kinds += [f"{rbac}:rolebindings", "image.openshift.io/v1:imagestreams"]
        kinds += ["serving.kserve.io/v1alpha1:servingruntimes"]
        listed = [(kind, one) for kind in kinds for one in self.get(kind)["items"]]
        return {
            f"{kind}/{one['metadata']['name']}": one["metadata"]["resourceVersion"]
            for kind, one in listed
        }


@pytest.fixture
def cluster(kube: KubeServer, tmp_path: Path) -> Iterator[Cluster]:
    namespace = f"ready-{secrets.token_hex(4)}"
    (tmp_path / ".env").write_text(ENV)
    found = Cluster(kube, namespace, tmp_path)
    with ExitStack() as stack:
        for name in ("redhat-ods-applications", "rhoai-model-registries", namespace):
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


TEMPLATES = "/apis/template.openshift.io/v1/namespaces/redhat-ods-applications/templates"
ROUTES = "/apis/route.openshift.io/v1/namespaces/rhoai-model-registries/routes"


def make_namespace(kube: KubeServer, name: str) -> None:
    there = kube.request("GET", "/api/v1/namespaces")["items"]
    if name not in {one["metadata"]["name"] for one in there}:
        kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})


def standing(kube: KubeServer, path: str, body: dict[str, Any]) -> Any:
    stack = ExitStack()
    kube.request("POST", path, body)
    stack.callback(kube.request, "DELETE", f"{path}/{body['metadata']['name']}")
    return stack


def route(kube: KubeServer, name: str = "modelregistry") -> Any:
    head = {"apiVersion": "route.openshift.io/v1", "kind": "Route"}
    spec = {"host": f"{name}-rest.apps.example.com"}
    return standing(kube, ROUTES, {**head, "metadata": {"name": f"{name}-https"}, "spec": spec})


def ready(cluster: Cluster, *options: str) -> list[dict[str, str]]:
    done = cluster.run("--env-file", ".env", "--json", *options)
    for hidden in HIDDEN:
        assert hidden not in done.stdout + done.stderr
        assert base64.b64encode(hidden.encode()).decode() not in done.stdout + done.stderr
    found = told(done)
    assert isinstance(found, list)
    return found


def states(outcomes: list[dict[str, str]]) -> set[str]:
    return {one["state"] for one in outcomes}


def test_a_bare_namespace_is_made_ready(cluster: Cluster) -> None:
    assert states(ready(cluster)) == {"created", "updated"}

    role = cluster.get("rbac.authorization.k8s.io/v1:roles/modelcar")
    assert role["rules"] == yaml.safe_load((ROOT / "manifests/base/role.yaml").read_text())["rules"]
    binding = cluster.get("rbac.authorization.k8s.io/v1:rolebindings/modelcar")
    assert binding["subjects"] == [
        {
            "kind": "ServiceAccount",
            "name": "pipeline-runner-team",
            "namespace": cluster.namespace,
        }
    ]
    assert cluster.secret("huggingface-token") == {"token": "hf_secret-one"}
    assert cluster.secret("model-registry-config") == {
        "url": "https://modelregistry-rest.apps.example.com"
    }
    auths = json.loads(cluster.secret("registry-auth")[".dockerconfigjson"])["auths"]
    assert base64.b64decode(auths["quay.io"]["auth"]) == b"team+robot:pass word #1"
    account = cluster.get("serviceaccounts/default")
    assert account["imagePullSecrets"] == [{"name": "quay-pull"}]
    claim = cluster.get("persistentvolumeclaims/modelcar")["spec"]
    assert claim["resources"]["requests"] == {"storage": "100Gi"}
    runtime = cluster.get("serving.kserve.io/v1alpha1:servingruntimes/vllm-cuda-runtime")
    assert runtime["spec"]["multiModel"] is False
    registries = "/apis/rbac.authorization.k8s.io/v1/namespaces/rhoai-model-registries"
    path = f"{registries}/rolebindings/modelcar-{cluster.namespace}"
    assert cluster.kube.request("GET", path)["roleRef"]["name"] == "registry-user-modelregistry"


def test_the_second_time_changes_nothing(cluster: Cluster) -> None:
    ready(cluster)
    before = cluster.versions()

    assert states(ready(cluster)) == {"unchanged"}

    assert cluster.versions() == before


def test_the_token_of_the_pusher_comes_into_the_auth_file(cluster: Cluster) -> None:
    ready(cluster)
    token = {"data": {"token": base64.b64encode(b"hush-hush").decode()}}
    path = cluster.path("secrets/modelcar-push-token")
    cluster.kube.request("PATCH", path, token, MERGE)

    changed = [one["name"] for one in ready(cluster) if one["state"] != "unchanged"]

    assert changed == ["registry-auth"]
    auths = json.loads(cluster.secret("registry-auth")[".dockerconfigjson"])["auths"]
    internal = auths["image-registry.openshift-image-registry.svc:5000"]["auth"]
    assert base64.b64decode(internal) == b"token:hush-hush"
    pulling = json.loads(cluster.secret("quay-pull")[".dockerconfigjson"])["auths"]
    assert set(pulling) == {"quay.io"}


def test_a_run_without_the_file_takes_no_login_away(cluster: Cluster) -> None:
    ready(cluster)
    token = {"data": {"token": base64.b64encode(b"hush-hush").decode()}}
    path = cluster.path("secrets/modelcar-push-token")
    cluster.kube.request("PATCH", path, token, MERGE)

    told(cluster.run("--json"))

    auths = json.loads(cluster.secret("registry-auth")[".dockerconfigjson"])["auths"]
    assert set(auths) == {"quay.io", "image-registry.openshift-image-registry.svc:5000"}
    assert cluster.secret("huggingface-token") == {"token": "hf_secret-one"}


def test_an_ordinary_user_takes_back_what_is_in_the_namespace(cluster: Cluster) -> None:
    before = set(cluster.versions())
    ready(cluster)
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    cluster.kube.grant(cluster.namespace, everything)

    done = cluster.run("--remove", "--json", user="pipeline")

    states = {one["kind"]: one["state"] for one in json.loads(done.stdout)}
    assert (done.returncode, states["ClusterRoleBinding"]) == (1, "refused")
    rbac = "rbac.authorization.k8s.io/v1"
    granted = {f"{rbac}:roles/granted", f"{rbac}:rolebindings/granted"}
    left = set(cluster.versions()) - before - granted
    assert left == {"persistentvolumeclaims/modelcar"}


def test_a_link_that_another_made_stays(cluster: Cluster) -> None:
    auths = json.dumps({"auths": {"registry.example": {"auth": "eDp5"}}})
    body = opaque("quay-pull", **{".dockerconfigjson": auths})
    docker = {**body, "type": "kubernetes.io/dockerconfigjson"}
    cluster.kube.request("POST", cluster.path("secrets"), docker)
    linked = {"imagePullSecrets": [{"name": "quay-pull"}]}
    cluster.kube.request("PATCH", cluster.path("serviceaccounts/default"), linked, MERGE)
    ready(cluster)

    told(cluster.run("--remove", "--json"))

    assert cluster.get("serviceaccounts/default")["imagePullSecrets"] == [{"name": "quay-pull"}]


def test_what_drifted_is_set_right(cluster: Cluster) -> None:
    ready(cluster)
    rbac = "rbac.authorization.k8s.io/v1"
    path = cluster.path(f"{rbac}:roles/modelcar")
    cluster.kube.request("PATCH", path, {"rules": []}, MERGE)
    cluster.kube.request("DELETE", cluster.path("secrets/huggingface-token"))

    changed = {one["name"]: one["state"] for one in ready(cluster) if one["state"] != "unchanged"}

    assert changed == {"modelcar": "updated", "huggingface-token": "created"}
    assert cluster.get(f"{rbac}:roles/modelcar")["rules"]


def opaque(name: str, **texts: str) -> dict[str, Any]:
    return {"metadata": {"name": name}, "stringData": texts}


def test_what_another_made_is_kept_unless_adopted(cluster: Cluster) -> None:
    path = cluster.path("secrets")
    cluster.kube.request("POST", path, opaque("huggingface-token", token="theirs"))

    (kept,) = [one for one in ready(cluster) if one["state"] == "kept"]

    assert (kept["name"], kept["why"]) == (
        "huggingface-token",
        "another made it; --adopt takes it over",
    )
    assert cluster.secret("huggingface-token") == {"token": "theirs"}
    ready(cluster, "--adopt")
    assert cluster.secret("huggingface-token") == {"token": "hf_secret-one"}


def test_a_secret_that_holds_the_value_is_not_written_whoever_made_it(cluster: Cluster) -> None:
    path = cluster.path("secrets")
    cluster.kube.request("POST", path, opaque("huggingface-token", token="hf_secret-one"))
    before = cluster.get("secrets/huggingface-token")["metadata"]["resourceVersion"]
    ready(cluster, "--adopt")
    assert cluster.get("secrets/huggingface-token")["metadata"]["resourceVersion"] == before


def test_the_predecessors_auth_file_is_taken_over(cluster: Cluster) -> None:
    auths = json.dumps({"auths": {"registry.example": {"auth": "eDp5"}}})
    body = opaque("quay-push", **{".dockerconfigjson": auths})
    cluster.kube.request(
        "POST", cluster.path("secrets"), {**body, "type": "kubernetes.io/dockerconfigjson"}
    )
    ready(cluster)
    for name in ("registry-auth", "quay-pull"):
        found = json.loads(cluster.secret(name)[".dockerconfigjson"])["auths"]
        assert found["registry.example"] == {"auth": "eDp5"}
        assert "quay.io" in found


def test_a_dry_run_changes_nothing(cluster: Cluster) -> None:
    before = cluster.versions()
    assert "created" in states(ready(cluster, "--dry-run"))
    assert cluster.versions() == before


def test_removal_takes_back_what_was_made_and_no_more(cluster: Cluster) -> None:
    path = cluster.path("secrets")
    cluster.kube.request("POST", path, opaque("huggingface-token", token="theirs"))
    before = cluster.versions()
    ready(cluster)

    removed = told(cluster.run("--remove", "--json"))

    assert set(cluster.versions()) - set(before) == {"persistentvolumeclaims/modelcar"}
    assert cluster.get("serviceaccounts/default").get("imagePullSecrets", []) == []
    assert {"name": "huggingface-token", "state": "kept"}.items() <= next(
        one for one in removed if one["name"] == "huggingface-token"
    ).items()
    assert states(told(cluster.run("--remove", "--with-pvc", "--json"))) <= {
        "absent",
        "deleted",
        "kept",
        "unchanged",
    }
    claim = cluster.get("persistentvolumeclaims/modelcar")["metadata"]
    assert claim["deletionTimestamp"], "a finalizer holds it until no pod has it"


def test_several_model_registries_are_to_be_chosen_from(cluster: Cluster) -> None:
    with route(cluster.kube, "other"):
        refused(cluster.run(), "choosing the Model Registry: there are https://", "MODEL_REGISTRY_")
        told(cluster.run("--remove", "--json"))
        (cluster.folder / ".env").write_text(
            "MODEL_REGISTRY_URL=https://other-rest.apps.example.com\n"
        )
        ready(cluster)
    assert cluster.secret("model-registry-config")["url"] == "https://other-rest.apps.example.com"


def test_what_a_user_may_not_do_is_refused_by_itself(cluster: Cluster) -> None:
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    cluster.kube.grant(cluster.namespace, everything)
    (cluster.folder / ".env").write_text("MODEL_REGISTRY_URL=https://mr.example.com\n")
    done = cluster.run("--env-file", ".env", "--json", user="pipeline")

    outcomes = {one["kind"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 1
    assert outcomes["ClusterRole"]["state"] == "refused"
    assert 'resources: ["clusterroles"]' in outcomes["ClusterRole"]["why"]
    assert outcomes["PersistentVolumeClaim"]["state"] == "created"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("A=b\n", "it has none of HF_TOKEN, QUAY_USERNAME"),
        ("QUAY_USERNAME=x\n", "QUAY_USERNAME and QUAY_PASSWORD belong together; write both"),
        (b"\xff\xfe", "it is no text; name a file of KEY=value lines"),
    ],
)
def test_a_bad_env_file_is_one_line(cluster: Cluster, text: str | bytes, fault: str) -> None:
    path = cluster.folder / ".env"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(cluster.run("--env-file", ".env"), fault, code=2)


def test_every_right_is_in_the_roles(cluster: Cluster) -> None:
    ready(cluster)
    rules = cluster.get("rbac.authorization.k8s.io/v1:roles/modelcar")["rules"]
    granted = {(r["apiGroups"][0], r["resources"][0], verb) for r in rules for verb in r["verbs"]}
    wanted = {(r.group, r.resource, v) for r in RIGHTS if r.place == "namespace" for v in r.verbs}
    assert granted == wanted
