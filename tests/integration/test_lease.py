"""The lease on a volume claim, on a real API server: who gets it, who does not, and why."""

import dataclasses
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from modelcar.errors import DeployError, PreflightError
from modelcar.lease import ANNOTATION, Lease
from tests.servers.kube import KubeServer, kube_server

MODEL = "mistral-24b 1.0"
CLAIMS = {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "update"]}
PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}
WORKFLOWS = {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["list"]}


class Claim:
    """A namespace with a volume claim, and an account that may do what `rules` say."""

    def __init__(self, kube: KubeServer) -> None:
        self.kube, self.namespace = kube, f"lease-{secrets.token_hex(4)}"
        kube.request("POST", "/api/v1/namespaces", {"metadata": {"name": self.namespace}})
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        }
        body = {"metadata": {"name": "modelcar", "annotations": {"mine": "stays"}}, "spec": spec}
        kube.request("POST", self.path.rpartition("/")[0], body)

    @property
    def path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims/modelcar"

    @property
    def annotations(self) -> dict[str, Any]:
        return dict(self.kube.request("GET", self.path)["metadata"]["annotations"])

    def annotate(self, text: str) -> None:
        body = {"metadata": {"annotations": {ANNOTATION: text}}}
        self.kube.request("PATCH", self.path, body, "application/merge-patch+json")

    def lease(self, run: str, what: str = MODEL, user: str = "pipeline") -> Lease:
        return Lease(self.kube.client(user, self.namespace), self.namespace, "modelcar", what, run)

    def workflow(self, run: str, phase: str) -> None:
        path = f"/apis/argoproj.io/v1alpha1/namespaces/{self.namespace}/workflows"
        kind = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow"}
        metadata = {"name": f"flow-{secrets.token_hex(4)}", "labels": {"pipeline/runid": run}}
        status = {"status": {"phase": phase}} if phase else {}
        self.kube.request("POST", path, {**kind, "metadata": metadata, **status})


@pytest.fixture
def claim(kube: KubeServer) -> Iterator[Claim]:
    found = Claim(kube)
    kube.grant(found.namespace, CLAIMS, PODS, WORKFLOWS)
    yield found
    kube.revoke(found.namespace)


def test_it_is_held_until_it_is_given_back(claim: Claim) -> None:
    assert claim.lease("one").take() == ""
    assert claim.annotations == {"mine": "stays", ANNOTATION: f'{{"{MODEL}": "one"}}'}
    assert claim.lease("one").take() == ""  # a task that is tried again
    assert claim.lease("one").release()
    assert not claim.lease("one").release()
    assert claim.annotations == {"mine": "stays"}


@pytest.mark.parametrize("phase", ["", "Pending", "Running"])
def test_a_run_that_goes_on_keeps_it(claim: Claim, phase: str) -> None:
    claim.lease("one").take()
    claim.workflow("one", phase)

    with pytest.raises(PreflightError) as caught:
        claim.lease("two").take()

    assert str(caught.value) == (
        f"lease of {MODEL}: run one holds it on the volume claim modelcar; "
        "wait until it ends, or cancel it: what it did is kept"
    )
    assert not claim.lease("two").release()
    assert f'"{MODEL}": "one"' in claim.annotations[ANNOTATION]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Error", "gone"])
def test_of_a_run_that_is_over_it_is_taken(claim: Claim, phase: str) -> None:
    claim.lease("one").take()
    if phase != "gone":
        claim.workflow("one", phase)
    assert claim.lease("two").take() == "one"
    assert not claim.lease("one").release()
    assert claim.annotations[ANNOTATION] == f'{{"{MODEL}": "two"}}'


def test_while_a_task_of_it_still_runs_a_run_is_not_over(claim: Claim) -> None:
    claim.lease("one").take()
    claim.workflow("one", "Failed")
    path = f"/api/v1/namespaces/{claim.namespace}/pods"
    metadata = {"name": "task", "labels": {"pipeline/runid": "one"}}
    spec = {"containers": [{"name": "main", "image": "x"}]}
    claim.kube.request("POST", path, {"metadata": metadata, "spec": spec})
    for phase, held in (("Running", True), ("Failed", False)):
        status = {"status": {"phase": phase}}
        merge = "application/merge-patch+json"
        claim.kube.request("PATCH", f"{path}/task/status", status, merge)
        if held:
            with pytest.raises(PreflightError, match="run one holds it"):
                claim.lease("two").take()
        else:
            assert claim.lease("two").take() == "one"


def test_another_model_version_has_its_own(claim: Claim) -> None:
    claim.workflow("one", "Running")
    claim.lease("one").take()
    claim.lease("two", "mistral-24b 2.0").take()
    claim.lease("one").release()
    assert claim.annotations[ANNOTATION] == '{"mistral-24b 2.0": "two"}'


def test_of_many_at_once_one_gets_it_and_nobody_is_overwritten(claim: Claim) -> None:
    runs = [f"run-{number}" for number in range(8)]
    for run in runs:
        claim.workflow(run, "Running")

    def take(run: str) -> str:
        try:
            claim.lease(run, "other " + run).take()
            claim.lease(run).take()
        except PreflightError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(runs)) as pool:
        found = list(pool.map(take, runs))

    assert found.count("") == 1
    holders = claim.annotations[ANNOTATION]
    assert f'"{MODEL}": "{runs[found.index("")]}"' in holders
    assert all(f'"other {run}": "{run}"' in holders for run in runs)


@pytest.mark.parametrize("text", ["", "no json", "[1]", "null"])
def test_what_somebody_else_wrote_there_holds_nothing(claim: Claim, text: str) -> None:
    claim.annotate(text)
    claim.lease("one").take()
    assert claim.annotations[ANNOTATION] == f'{{"{MODEL}": "one"}}'


def test_a_claim_that_is_not_there_is_named(claim: Claim) -> None:
    lease = dataclasses.replace(claim.lease("one"), claim="typo")
    with pytest.raises(DeployError, match=r'on typo: persistentvolumeclaims "typo" not found'):
        lease.take()


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        ([], 'resources: ["persistentvolumeclaims"], verbs: ["get"]'),
        (
            [{**CLAIMS, "verbs": ["get"]}],
            'resources: ["persistentvolumeclaims"], verbs: ["update"]',
        ),
        ([CLAIMS], 'resources: ["workflows"], verbs: ["list"]'),
        ([CLAIMS, WORKFLOWS], 'resources: ["pods"], verbs: ["list"]'),
    ],
)
def test_a_right_that_is_missing_is_named(
    claim: Claim, rules: list[dict[str, Any]], missing: str
) -> None:
    if len(rules) and "update" in rules[0]["verbs"]:
        claim.annotate(f'{{"{MODEL}": "somebody"}}')
    claim.kube.revoke(claim.namespace)
    claim.kube.grant(claim.namespace, *rules)
    with pytest.raises(DeployError) as caught:
        claim.lease("one").take()
    assert missing in str(caught.value)


def test_where_there_is_no_argo_no_run_goes_on(
    kube_parts: tuple[Path, Path], tmp_path: Path
) -> None:
    with kube_server(kube_parts[0], tmp_path) as bare:
        claim = Claim(bare)
        claim.lease("one", user="admin").take()
        assert claim.lease("two", user="admin").take() == "one"
