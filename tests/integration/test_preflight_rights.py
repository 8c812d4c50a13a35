"""Each right that is missing is named: of who asks, and of the pipeline's runner."""

import secrets
from collections.abc import Mapping
from typing import Any

import pytest

from modelcar.bootstrap.rights import RIGHTS, rules
from modelcar.preflight.account import Account, needed
from tests.servers.kube import KubeServer

EVERY = [(right, verb) for right in RIGHTS for verb in right.verbs]
RUNNER = "pipeline-runner-dspa"


def namespace(kube: KubeServer) -> str:
    name = f"right-{secrets.token_hex(4)}"
    kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    return name


def without(right: Any, verb: str, place: Any) -> list[dict[str, Any]]:
    """Return the rules of one place, less one verb if it is that place's."""
    found = []
    for rule in rules(place):
        same = (rule["apiGroups"], rule["resources"]) == ([right.group], [right.resource])
        left = [v for v in rule["verbs"] if not (same and right.place == place and v == verb)]
        found.append({**rule, "verbs": left})
    return [rule for rule in found if rule["verbs"]]


@pytest.mark.parametrize(
    ("right", "verb"),
    EVERY,
    ids=lambda one: one if isinstance(one, str) else f"{one.place}-{one.resource}",
)
def test_each_right_that_is_missing_is_named(kube: KubeServer, right: Any, verb: str) -> None:
    """Grant all but one verb, and see the check name that one."""
    where = namespace(kube)
    kube.grant(where, *without(right, verb, "namespace"))
    wide = [*without(right, verb, "cluster"), *without(right, verb, "templates")]
    # A right in the whole cluster is one in each namespace too.
    hiding = right.place == "namespace" and right.resource == "pods"
    kube.grant_cluster(*[rule for rule in wide if not (hiding and rule["resources"] == ["pods"])])
    try:
        found = list(Account(kube.client("pipeline"), where).rights())
    finally:
        kube.revoke_cluster()

    what = f"the account that asks may not {verb} {right.resource} ({right.serves})"
    (finding,) = [one for one in found if one.what == what]
    assert len(found) == 1 + hiding
    assert finding.state == ("failed" if right.needed else "warning")
    rule = f'{{apiGroups: ["{right.group}"], resources: ["{right.resource}"], verbs: ["{verb}"]}}'
    assert finding.remedy.endswith(f"`modelcar bootstrap -n {where}`, or grant {rule}")


def bind(kube: KubeServer, where: str, *granted: Mapping[str, Any]) -> None:
    """Bind rules to the runner's service account."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{where}"
    kube.request("POST", f"{rbac}/roles", {"metadata": {"name": "own"}, "rules": list(granted)})
    subject = {"kind": "ServiceAccount", "name": RUNNER, "namespace": where}
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "own"}
    body = {"metadata": {"name": "own"}, "roleRef": ref, "subjects": [subject]}
    kube.request("POST", f"{rbac}/rolebindings", body)


def test_the_runners_rights_are_asked_by_who_may_ask_for_others(kube: KubeServer) -> None:
    where = namespace(kube)
    rule, *others = rules("namespace")
    bind(kube, where, {**rule, "verbs": [v for v in rule["verbs"] if v != "patch"]}, *others)

    found = list(Account(kube.client("admin"), where, RUNNER).rights(needed()))

    (finding,) = found
    assert finding.state == "failed"
    assert finding.what.startswith(f"{RUNNER} may not patch inferenceservices (deploy")


def test_what_may_not_be_asked_is_unknown(kube: KubeServer) -> None:
    where = namespace(kube)
    kube.grant(where, *rules("namespace"))

    found = list(Account(kube.client("pipeline"), where, RUNNER).rights())

    assert {one.state for one in found} == {"unknown"}
    assert f"what {RUNNER} may do may not be asked (namespace)" in {one.what for one in found}


def test_a_project_administrator_may_ask_within_the_namespace(kube: KubeServer) -> None:
    where = namespace(kube)
    review = {"apiGroups": ["authorization.k8s.io"], "resources": ["localsubjectaccessreviews"]}
    kube.grant(where, {**review, "verbs": ["create"]})
    bind(kube, where, *rules("namespace"))

    asked = Account(kube.client("pipeline"), where, RUNNER).rights(needed())

    assert [(one.state, one.what) for one in asked] == [
        ("ok", f"{RUNNER} has the rights that are asked for")
    ]


def test_a_run_needs_only_what_it_cannot_do_without() -> None:
    verbs = {(right.resource, verb) for right in needed() for verb in right.verbs}
    assert verbs == {("inferenceservices", verb) for verb in ("get", "create", "patch")}
