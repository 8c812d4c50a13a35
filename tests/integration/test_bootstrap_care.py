"""What is not bootstrap's to write: what another made, what is hidden, what cannot be changed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelcar.bootstrap.applying import Outcome
from tests.ready_namespace import DOCKER, RBAC, Cluster, openshift_namespace, route, standing
from tests.servers import openshift
from tests.servers.kube import KubeServer

ENV = {"QUAY_USERNAME": "team", "QUAY_PASSWORD": "C4naryBird"}
OTHER = {"MODEL_REGISTRY_URL": "https://other-rest.apps.example.com"}
RUNTIME = "vllm-cuda-runtime"
APPLY = "application/apply-patch+yaml"


@pytest.fixture
def cluster(kube: KubeServer, tmp_path: Path) -> Iterator[Cluster]:
    with openshift_namespace(kube, tmp_path) as found:
        yield found


def named(outcomes: list[Outcome], kind: str, name: str) -> Outcome:
    (found,) = [one for one in outcomes if (one.kind, one.name) == (kind, name)]
    return found


def secret(outcomes: list[Outcome], name: str) -> tuple[str, str]:
    found = named(outcomes, "Secret", name)
    return found.state, found.why


def test_what_another_made_is_kept_unless_adopted(cluster: Cluster) -> None:
    cluster.add_secret("huggingface-token", token="C4naryBird-theirs")

    (kept,) = [one for one in cluster.ready() if one["state"] == "kept"]

    assert (kept["name"], kept["why"]) == (
        "huggingface-token",
        "another made it; --adopt takes it over",
    )
    assert cluster.secret("huggingface-token") == {"token": "C4naryBird-theirs"}
    cluster.ready("--adopt")
    assert cluster.secret("huggingface-token") == {"token": "hf_C4naryBird-one"}


def test_a_secret_that_holds_the_value_is_not_written_whoever_made_it(cluster: Cluster) -> None:
    cluster.add_secret("huggingface-token", token="hf_C4naryBird-one")
    before = cluster.get("secrets/huggingface-token")["metadata"]["resourceVersion"]
    cluster.ready("--adopt")
    assert cluster.get("secrets/huggingface-token")["metadata"]["resourceVersion"] == before


@pytest.mark.parametrize(("adopt", "state"), [(False, "kept"), (True, "refused")])
def test_a_secret_of_another_type_is_not_taken_for_the_same(
    cluster: Cluster, adopt: bool, state: str
) -> None:
    cluster.add_logins("quay-pull", "Opaque")
    theirs = cluster.get("secrets/quay-pull")

    said = secret(cluster.done(adopt=adopt), "quay-pull")

    assert said == (
        state,
        f"another made it, and its type cannot be changed from Opaque to {DOCKER}; "
        f"`oc delete secret quay-pull -n {cluster.namespace}`, then run again",
    )
    assert cluster.get("secrets/quay-pull") == theirs
    cluster.kube.request("DELETE", cluster.path("secrets/quay-pull"))
    assert secret(cluster.done(adopt=adopt), "quay-pull")[0] == "created"
    assert cluster.auths("quay-pull") == {"registry.example": {"auth": "eDpDNG5hcnlCaXJk"}}


def test_a_secret_of_ours_that_has_another_type_is_made_anew(cluster: Cluster) -> None:
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "quay-pull"}}
    path = cluster.path("secrets/quay-pull?fieldManager=modelcar")
    cluster.kube.request("PATCH", path, {**head, "type": "Opaque"}, APPLY)

    dry = secret(cluster.done(values=ENV, dry_run=True), "quay-pull")
    assert cluster.get("secrets/quay-pull")["type"] == "Opaque"
    done = secret(cluster.done(values=ENV), "quay-pull")

    said = f"made anew: its type cannot be changed from Opaque to {DOCKER}"
    assert dry == done == ("updated", said)
    assert cluster.get("secrets/quay-pull")["type"] == DOCKER
    assert set(cluster.auths("quay-pull")) == {"quay.io"}


def binding(cluster: Cluster) -> dict[str, Any]:
    registries = f"/apis/{RBAC}/namespaces/rhoai-model-registries/rolebindings"
    found: dict[str, Any] = cluster.kube.request("GET", f"{registries}/{bound(cluster)}")
    return found


def bound(cluster: Cluster) -> str:
    return f"modelcar-{cluster.namespace}"


def test_a_binding_follows_the_model_registry_to_another_name(cluster: Cluster) -> None:
    cluster.done()
    assert binding(cluster)["roleRef"]["name"] == "registry-user-modelregistry"

    with route(cluster.kube, "other"):
        dry = named(cluster.done(values=OTHER, dry_run=True), "RoleBinding", bound(cluster))
        assert binding(cluster)["roleRef"]["name"] == "registry-user-modelregistry"
        done = named(cluster.done(values=OTHER), "RoleBinding", bound(cluster))
        again = named(cluster.done(values=OTHER), "RoleBinding", bound(cluster))

    assert (dry.state, done.state, again.state) == ("updated", "updated", "unchanged")
    assert done.why.endswith("from registry-user-modelregistry to registry-user-other")
    assert binding(cluster)["roleRef"]["name"] == "registry-user-other"


@pytest.mark.parametrize(("adopt", "state"), [(False, "kept"), (True, "refused")])
def test_anothers_binding_to_another_role_is_left_alone(
    cluster: Cluster, adopt: bool, state: str
) -> None:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "theirs"}
    body = {"metadata": {"name": bound(cluster)}, "roleRef": ref, "subjects": []}
    registries = f"/apis/{RBAC}/namespaces/rhoai-model-registries/rolebindings"
    with standing(cluster.kube, registries, body):
        done = named(cluster.done(adopt=adopt), "RoleBinding", bound(cluster))
        assert binding(cluster)["roleRef"]["name"] == "theirs"
    assert done.state == state
    assert f"`oc delete rolebinding {bound(cluster)} -n rhoai-model-registries`" in done.why


def test_hidden_logins_are_not_written_over(cluster: Cluster) -> None:
    cluster.add_logins("quay-push")
    cluster.done(values={**ENV, "HF_TOKEN": "C4naryBird-1"})
    cluster.write_token()
    before = cluster.get("secrets/registry-auth")
    seen = ["quay-pull", "registry-auth", "huggingface-token", "modelcar-push-token"]
    secrets_ = {"apiGroups": [""], "resources": ["secrets"]}
    cluster.kube.grant(
        cluster.namespace,
        {**secrets_, "verbs": ["get"], "resourceNames": seen},
        {**secrets_, "verbs": ["create", "patch"]},
    )
    changed = {**ENV, "QUAY_PASSWORD": "C4naryBird-other", "HF_TOKEN": "C4naryBird-2"}

    done = cluster.done("pipeline", values=changed)

    for name in ("registry-auth", "quay-pull"):
        state, why = secret(done, name)
        assert state == "refused"
        assert why.startswith("the logins in quay-push would be lost: ")
        assert why.endswith('{apiGroups: [""], resources: ["secrets"], verbs: ["get"]}')
    assert cluster.get("secrets/registry-auth") == before
    assert secret(done, "huggingface-token")[0] == "updated"


def test_a_hidden_token_takes_no_login_away(cluster: Cluster) -> None:
    cluster.done()
    cluster.write_token()
    cluster.done()
    seen = ["quay-push", "quay-pull", "registry-auth"]
    secrets_ = {"apiGroups": [""], "resources": ["secrets"]}
    cluster.kube.grant(
        cluster.namespace,
        {**secrets_, "verbs": ["get"], "resourceNames": seen},
        {**secrets_, "verbs": ["create", "patch"]},
    )

    done = cluster.done("pipeline", values=ENV)

    assert secret(done, "registry-auth")[0] == "updated"
    internal = "image-registry.openshift-image-registry.svc:5000"
    assert set(cluster.auths("registry-auth")) == {"quay.io", internal}


def test_a_hidden_pipelines_server_is_not_taken_for_none(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    account = {"metadata": {"name": "pipeline-runner-team"}}
    cluster.kube.request("POST", cluster.path("serviceaccounts"), account)
    rbac = {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"], "verbs": ["*"]}
    accounts = {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["list"]}
    cluster.kube.grant(cluster.namespace, rbac, accounts)

    cluster.done("pipeline")

    said = "its pipelines server may not be looked up; pipeline-runner-team gets the rights"
    assert said in caplog.text
    subject = cluster.get(f"{RBAC}:rolebindings/modelcar")["subjects"][0]
    assert subject["name"] == "pipeline-runner-team"


def test_a_namespace_without_a_pipelines_server_is_said(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    group = "datasciencepipelinesapplications.opendatahub.io"
    path = cluster.path(f"{group}/v1:{group.partition('.')[0]}/team")
    cluster.kube.request("DELETE", path)
    cluster.done(dry_run=True)
    assert "has no pipelines server yet; pipeline-runner-dspa gets the rights" in caplog.text


def runtime(cluster: Cluster, dry_run: bool) -> tuple[str, str]:
    found = named(cluster.done(dry_run=dry_run), "ServingRuntime", RUNTIME)
    return found.state, found.why


def test_a_dry_run_says_of_the_runtime_what_a_run_does(cluster: Cluster) -> None:
    made = ("created", f"from the template {RUNTIME}-template")
    assert [runtime(cluster, dry_run) for dry_run in (True, False)] == [made] * 2
    assert runtime(cluster, dry_run=True) == ("unchanged", "")


def test_a_dry_run_says_where_no_template_of_the_runtime_is_read(cluster: Cluster) -> None:
    templates = "/apis/template.openshift.io/v1/namespaces/redhat-ods-applications/templates"
    cluster.kube.request("DELETE", f"{templates}/{RUNTIME}-template")
    try:
        dry, really = runtime(cluster, dry_run=True), runtime(cluster, dry_run=False)
    finally:
        body = openshift.template(f"{RUNTIME}-template", openshift.runtime(RUNTIME))
        cluster.kube.request("POST", templates, body)

    assert dry == really
    assert dry[0] == "refused"
    assert dry[1].startswith("it is not there, and no template of it may be read; create it with ")


def test_a_runtime_that_may_not_be_looked_up_names_the_rule(cluster: Cluster) -> None:
    cluster.kube.grant(cluster.namespace, {"apiGroups": [""], "resources": ["*"], "verbs": ["*"]})
    found = named(cluster.done("pipeline", dry_run=True), "ServingRuntime", RUNTIME)
    assert found.state == "refused"
    assert found.why.startswith("it may not be looked up; add this rule")
    assert 'resources: ["servingruntimes"], verbs: ["get"]' in found.why
