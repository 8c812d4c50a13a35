"""Making a namespace ready, on a real API server with what OpenShift adds to it."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from modelcar.bootstrap.rights import RIGHTS
from tests.byte_path import refused, told
from tests.ready_namespace import EVERYTHING, RBAC, Cluster, openshift_namespace, route, states
from tests.servers.kserve import MERGE
from tests.servers.kube import KubeServer
from tests.serving_site import Listener

ROOT = Path(__file__).resolve().parents[2]
INTERNAL = "image-registry.openshift-image-registry.svc:5000"


@pytest.fixture
def cluster(kube: KubeServer, tmp_path: Path) -> Iterator[Cluster]:
    with openshift_namespace(kube, tmp_path) as found:
        yield found


def test_a_bare_namespace_is_made_ready(cluster: Cluster) -> None:
    assert states(cluster.ready()) == {"created", "updated", "waiting"}

    role = cluster.get(f"{RBAC}:roles/modelcar")
    assert role["rules"] == yaml.safe_load((ROOT / "manifests/base/role.yaml").read_text())["rules"]
    binding = cluster.get(f"{RBAC}:rolebindings/modelcar")
    assert binding["subjects"] == [
        {
            "kind": "ServiceAccount",
            "name": "pipeline-runner-team",
            "namespace": cluster.namespace,
        }
    ]
    assert cluster.secret("huggingface-token") == {"token": "hf_C4naryBird-one"}
    assert cluster.secret("model-registry-config") == {
        "url": "https://modelregistry-rest.apps.example.com"
    }
    auths = cluster.auths("registry-auth")
    assert base64.b64decode(auths["quay.io"]["auth"]) == b"team+robot:pass C4naryBird #1"
    account = cluster.get("serviceaccounts/default")
    assert account["imagePullSecrets"] == [{"name": "quay-pull"}]
    claim = cluster.get("persistentvolumeclaims/modelcar")["spec"]
    assert claim["resources"]["requests"] == {"storage": "100Gi"}
    runtime = cluster.get("serving.kserve.io/v1alpha1:servingruntimes/vllm-cuda-runtime")
    assert runtime["spec"]["multiModel"] is False
    registries = f"/apis/{RBAC}/namespaces/rhoai-model-registries"
    path = f"{registries}/rolebindings/modelcar-{cluster.namespace}"
    assert cluster.kube.request("GET", path)["roleRef"]["name"] == "registry-user-modelregistry"


def test_the_second_time_changes_nothing(cluster: Cluster) -> None:
    cluster.ready()
    cluster.write_token()
    cluster.ready()
    before = cluster.versions()

    assert states(cluster.ready()) == {"unchanged"}

    assert cluster.versions() == before


def test_the_token_of_the_pusher_comes_into_the_auth_file(cluster: Cluster) -> None:
    cluster.ready()
    cluster.write_token()

    changed = [one["name"] for one in cluster.ready() if one["state"] != "unchanged"]

    assert changed == ["registry-auth"]
    internal = cluster.auths("registry-auth")[INTERNAL]["auth"]
    assert base64.b64decode(internal) == b"token:C4naryBird-push"
    assert set(cluster.auths("quay-pull")) == {"quay.io"}


def test_a_run_without_the_file_takes_no_login_away(cluster: Cluster) -> None:
    cluster.ready()
    cluster.write_token()

    told(cluster.run("--json"))

    assert set(cluster.auths("registry-auth")) == {"quay.io", INTERNAL}
    assert cluster.secret("huggingface-token") == {"token": "hf_C4naryBird-one"}


def test_what_drifted_is_set_right(cluster: Cluster) -> None:
    cluster.ready()
    cluster.write_token()
    cluster.ready()
    path = cluster.path(f"{RBAC}:roles/modelcar")
    cluster.kube.request("PATCH", path, {"rules": []}, MERGE)
    cluster.kube.request("DELETE", cluster.path("secrets/huggingface-token"))

    changed = {one["name"]: one["state"] for one in cluster.ready() if one["state"] != "unchanged"}

    assert changed == {"modelcar": "updated", "huggingface-token": "created"}
    assert cluster.get(f"{RBAC}:roles/modelcar")["rules"]


def test_several_model_registries_are_to_be_chosen_from(cluster: Cluster) -> None:
    with route(cluster.kube, "other"):
        several = "choosing the Model Registry: there are several: https://"
        refused(cluster.run(), several, "MODEL_REGISTRY_")
        told(cluster.run("--remove", "--json"))
        (cluster.folder / ".env").write_text(
            "MODEL_REGISTRY_URL=https://other-rest.apps.example.com\n"
        )
        cluster.ready()
    assert cluster.secret("model-registry-config")["url"] == "https://other-rest.apps.example.com"


def test_the_predecessors_auth_file_is_taken_over(cluster: Cluster) -> None:
    cluster.add_logins("quay-push")
    cluster.ready()
    for name in ("registry-auth", "quay-pull"):
        assert cluster.auths(name)["registry.example"] == {"auth": "eDpDNG5hcnlCaXJk"}
        assert "quay.io" in cluster.auths(name)


def test_a_dry_run_changes_nothing(cluster: Cluster) -> None:
    before, beside = cluster.versions(), cluster.beside()
    assert states(cluster.ready("--dry-run")) == {"created", "updated"}
    assert (cluster.versions(), cluster.beside()) == (before, beside)


def test_what_a_user_may_not_do_is_refused_by_itself(cluster: Cluster) -> None:
    cluster.kube.grant(cluster.namespace, EVERYTHING)
    (cluster.folder / ".env").write_text("MODEL_REGISTRY_URL=https://mr.example.com\n")
    done = cluster.run("--env-file", ".env", "--json", user="pipeline")

    outcomes = {one["kind"]: one for one in json.loads(done.stdout)}
    assert done.returncode == 1
    assert outcomes["ClusterRole"]["state"] == "refused"
    assert 'resources: ["clusterroles"]' in outcomes["ClusterRole"]["why"]
    assert outcomes["PersistentVolumeClaim"]["state"] == "created"


def test_a_token_that_comes_late_is_waited_for(cluster: Cluster, listener: Listener) -> None:
    listener.upon("waiting up to 60 seconds for its token", cluster.write_token)

    done = cluster.done(wait=60)

    assert "waiting" not in {one.state for one in done}
    login = cluster.auths("registry-auth")[INTERNAL]["auth"]
    assert base64.b64decode(login) == b"token:C4naryBird-push"


def test_a_token_that_does_not_come_is_said_and_fails_nothing(cluster: Cluster) -> None:
    done = cluster.run("--wait", "0.1")

    line = f"Secret {cluster.namespace}/modelcar-push-token: waiting (its token is not written yet;"
    assert done.returncode == 0, done.stderr
    assert f"{line} run again" in done.stdout
    assert "for its token" in done.stderr
    again = cluster.run("--wait", "60")  # one that is not new is not waited for
    assert line in again.stdout
    assert "for its token" not in again.stderr


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
    cluster.ready()
    rules = cluster.get(f"{RBAC}:roles/modelcar")["rules"]
    granted = {(r["apiGroups"][0], r["resources"][0], verb) for r in rules for verb in r["verbs"]}
    wanted = {(r.group, r.resource, v) for r in RIGHTS if r.place == "namespace" for v in r.verbs}
    assert granted == wanted
