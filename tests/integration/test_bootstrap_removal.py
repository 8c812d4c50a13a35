"""Taking back what made a namespace ready, and leaving all else."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelcar.bootstrap.asked import Request
from modelcar.bootstrap.namespace import bootstrap
from modelcar.bootstrap.removal import remove
from tests.byte_path import told
from tests.ready_namespace import (
    EVERYTHING,
    RBAC,
    Cluster,
    make_namespace,
    openshift_namespace,
    states,
)
from tests.servers.kserve import MERGE
from tests.servers.kube import KubeServer


@pytest.fixture
def cluster(kube: KubeServer, tmp_path: Path) -> Iterator[Cluster]:
    with openshift_namespace(kube, tmp_path) as found:
        yield found


def test_removal_takes_back_what_was_made_and_no_more(cluster: Cluster) -> None:
    cluster.add_secret("huggingface-token", token="C4naryBird-theirs")
    before, beside = cluster.versions(), cluster.beside()
    cluster.ready()
    name = f"modelcar-{cluster.namespace}"
    assert cluster.beside() - beside == {
        "/clusterroles/modelcar-nodes",
        f"/clusterrolebindings/{name}-nodes",
        "redhat-ods-applications/roles/modelcar-templates",
        f"redhat-ods-applications/rolebindings/{name}-templates",
        f"rhoai-model-registries/rolebindings/{name}",
    }

    removed = told(cluster.run("--remove", "--json"))

    assert cluster.beside() == beside
    assert set(cluster.versions()) - set(before) == {"persistentvolumeclaims/modelcar"}
    assert cluster.get("serviceaccounts/default").get("imagePullSecrets", []) == []
    (kept,) = [one for one in removed if one["name"] == "huggingface-token"]
    assert (kept["state"], kept["why"]) == ("kept", "another made it")


def test_the_volume_claim_is_removed_when_asked_for(cluster: Cluster) -> None:
    cluster.ready()
    claim = "persistentvolumeclaims/modelcar"
    told(cluster.run("--remove", "--json"))
    assert "deletionTimestamp" not in cluster.get(claim)["metadata"]

    again = told(cluster.run("--remove", "--with-pvc", "--json"))

    assert states(again) == {"absent", "deleted"}
    deleted = cluster.get(claim)["metadata"]["deletionTimestamp"]
    assert deleted, "a finalizer holds it until no pod has it"


def test_a_dry_removal_says_the_same_and_deletes_nothing(cluster: Cluster) -> None:
    cluster.ready()
    before, beside = cluster.versions(), cluster.beside()

    dry = told(cluster.run("--remove", "--dry-run", "--json"))

    assert (cluster.versions(), cluster.beside()) == (before, beside)
    really = told(cluster.run("--remove", "--json"))
    assert dry == [one for one in really if one["kind"] != "ServingRuntime"]


def test_a_role_that_another_namespace_has_stays_until_it_is_removed(cluster: Cluster) -> None:
    other, api = f"other-{secrets.token_hex(4)}", cluster.kube.client()
    make_namespace(cluster.kube, other)
    list(bootstrap(api, Request(other, wait=0)))
    cluster.done()
    roles = {"/clusterroles/modelcar-nodes", "redhat-ods-applications/roles/modelcar-templates"}

    removed = {one.name: one for one in remove(api, Request(cluster.namespace))}

    nodes = removed["modelcar-nodes"]
    assert (nodes.state, nodes.why) == ("kept", f"modelcar-{other}-nodes binds it too")
    assert roles <= cluster.beside()
    list(remove(api, Request(other)))
    assert not cluster.beside()


def test_an_ordinary_user_takes_back_what_is_in_the_namespace(cluster: Cluster) -> None:
    before = set(cluster.versions())
    cluster.ready()
    cluster.kube.grant(cluster.namespace, EVERYTHING)

    done = cluster.run("--remove", "--json", user="pipeline")

    outcomes = {one["kind"]: one for one in json.loads(done.stdout)}
    assert (done.returncode, outcomes["ClusterRoleBinding"]["state"]) == (1, "refused")
    role = outcomes["ClusterRole"]
    assert role["state"] == "kept"
    assert role["why"].startswith("others may be bound to it: ")
    granted = {f"{RBAC}:roles/granted", f"{RBAC}:rolebindings/granted"}
    left = set(cluster.versions()) - before - granted
    assert left == {"persistentvolumeclaims/modelcar"}


def test_whoever_may_not_list_bindings_keeps_the_role(cluster: Cluster) -> None:
    cluster.done()
    kinds = ["clusterroles", "clusterrolebindings"]
    verbs = ["get", "delete"]
    group = "rbac.authorization.k8s.io"
    cluster.kube.grant(cluster.namespace, EVERYTHING)
    cluster.kube.grant_cluster({"apiGroups": [group], "resources": kinds, "verbs": verbs})
    try:
        api = cluster.kube.client("pipeline")
        removed = {one.kind: one for one in remove(api, Request(cluster.namespace))}
    finally:
        cluster.kube.revoke_cluster()

    assert removed["ClusterRoleBinding"].state == "deleted"
    assert removed["ClusterRole"].state == "kept"
    rule = 'resources: ["clusterrolebindings"], verbs: ["list"]'
    assert rule in removed["ClusterRole"].why


def test_a_link_that_another_made_stays(cluster: Cluster) -> None:
    cluster.add_logins("quay-pull")
    linked = {"imagePullSecrets": [{"name": "quay-pull"}]}
    cluster.kube.request("PATCH", cluster.path("serviceaccounts/default"), linked, MERGE)
    cluster.ready()

    told(cluster.run("--remove", "--json"))

    assert cluster.get("serviceaccounts/default")["imagePullSecrets"] == [{"name": "quay-pull"}]


def test_what_was_adopted_is_kept(cluster: Cluster) -> None:
    cluster.add_secret("huggingface-token", token="C4naryBird-theirs")
    cluster.ready("--adopt")
    assert cluster.secret("huggingface-token") == {"token": "hf_C4naryBird-one"}
    env = (cluster.folder / ".env").read_text()
    (cluster.folder / ".env").write_text(env.replace("hf_C4naryBird-one", "hf_C4naryBird-another"))
    cluster.ready()  # it is written again, and still known to be another's
    assert cluster.secret("huggingface-token") == {"token": "hf_C4naryBird-another"}

    removed = {one["name"]: one for one in told(cluster.run("--remove", "--json"))}

    kept = removed["huggingface-token"]
    assert (kept["state"], kept["why"]) == ("kept", "another made it, and it was adopted")
    assert cluster.secret("huggingface-token") == {"token": "hf_C4naryBird-another"}
    assert removed["registry-auth"]["state"] == "deleted"


def test_a_user_without_rights_is_refused_object_by_object(cluster: Cluster) -> None:
    cluster.ready()
    before, beside = cluster.versions(), cluster.beside()
    removed = list(remove(cluster.kube.client("pipeline"), Request(cluster.namespace)))
    assert {one.state for one in removed if not one.kind.endswith("Role")} == {"refused"}
    assert (cluster.versions(), cluster.beside()) == (before, beside)
