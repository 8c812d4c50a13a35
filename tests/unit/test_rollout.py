import copy
from typing import Any

import pytest

from modelcar.serving.diagnose import Diagnosis
from modelcar.serving.rollout import Patience, State
from modelcar.serving.signs import Where
from modelcar.values import Digest

DIGEST, OTHER = Digest("ab" * 32), Digest("cd" * 32)
READY: dict[str, Any] = {
    "metadata": {"name": "mistral"},
    "status": {"conditions": [{"type": "Ready", "status": "True"}]},
}


def deployment(digest: Digest = DIGEST, generation: int = 2, **counts: int) -> dict[str, Any]:
    full = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    annotations = {"storage-uri": f"oci://quay.example.com/team/mistral@{digest}"}
    return {
        "metadata": {"generation": generation},
        "spec": {"replicas": 1, "template": {"metadata": {"annotations": annotations}}},
        "status": {"observedGeneration": 2, **full, **counts},
    }


def pod(digest: Digest = DIGEST, ready: str = "True") -> dict[str, Any]:
    image = f"quay.example.com/team/mistral@{digest}"
    return {
        "metadata": {"name": "mistral-1"},
        "spec": {"containers": [{"name": "modelcar", "image": image}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def terminating(found: dict[str, Any]) -> dict[str, Any]:
    gone = copy.deepcopy(found)
    gone["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return gone


@pytest.mark.parametrize(
    ("of_deployment", "of_pods", "serves"),
    [
        (deployment(), [], True),
        (deployment(), None, True),
        (deployment(OTHER), [pod()], True),
        (None, [pod()], True),
        (None, None, True),
        (deployment(OTHER), [pod(OTHER)], False),
        (deployment(OTHER), [pod(ready="False")], False),
        (deployment(OTHER), [terminating(pod())], False),
        (None, [], False),
        (deployment(generation=3), [pod()], False),
        (deployment(updatedReplicas=0), [pod()], False),
        (deployment(availableReplicas=0), [pod()], False),
        (deployment(replicas=2), [pod()], False),
    ],
)
def test_a_service_serves_a_digest_once_it_is_rolled_out(
    of_deployment: dict[str, Any] | None, of_pods: list[dict[str, Any]] | None, serves: bool
) -> None:
    assert State(READY, of_deployment, of_pods).serves(DIGEST) is serves


def test_a_rolled_out_service_that_is_not_ready_does_not_serve() -> None:
    starting = {**READY, "status": {"conditions": [{"type": "Ready", "status": "False"}]}}

    assert not State(starting, deployment(), [pod()]).serves(DIGEST)
    assert not State({"metadata": {"name": "new"}}, None, None).serves(DIGEST)


def told(terminal: bool, where: Where = "waiting") -> Diagnosis:
    return Diagnosis(f"{where} {terminal}", "do something", terminal, where)


def test_what_cannot_heal_is_given_up_after_it_has_stood() -> None:
    patience = Patience(60)

    assert not patience.tried_by(told(True), 0)
    assert not patience.tried_by(told(False), 30)
    assert patience.tried_by(told(False), 60)
    assert patience.worst == told(True)


@pytest.mark.parametrize("healed", [None, told(False, "scheduling")])
def test_what_healed_begins_anew(healed: Diagnosis | None) -> None:
    patience = Patience(60)
    patience.tried_by(told(True), 0)

    assert not patience.tried_by(healed, 50)
    assert not patience.tried_by(told(True), 70)
    assert patience.tried_by(told(True), 130)


def test_what_may_heal_is_waited_for() -> None:
    patience = Patience(60)

    assert not any(patience.tried_by(told(False), now) for now in range(0, 3600, 10))


def test_what_the_log_says_of_a_crash_that_came_back_is_final() -> None:
    patience = Patience(settle=60.0)
    assert not patience.tried_by(told(False, "log"), 0.0)
    assert not patience.tried_by(None, 1.0)
    assert patience.tried_by(told(True, "log"), 2.0)
