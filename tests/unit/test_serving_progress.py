"""How far pods have come, from their states as the API server has them."""

from typing import Any

import pytest

from modelcar.serving.progress import progress

RUNNING: dict[str, Any] = {"running": {}}
CREATING: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}


def pod(node: str = "worker-1", created: str = "2026-01-02", **status: Any) -> dict[str, Any]:
    metadata = {"name": "m-1", "creationTimestamp": created}
    return {"metadata": metadata, "spec": {"nodeName": node} if node else {}, "status": status}


def containers(*states: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": f"c{number}", "state": state} for number, state in enumerate(states)]


READY = [{"type": "Ready", "status": "True"}]
LEAVING = pod("worker-9", "2026-01-09")
LEAVING["metadata"]["deletionTimestamp"] = "2026-01-09"


@pytest.mark.parametrize(
    ("pods", "said"),
    [
        ([], "no pod yet"),
        ([LEAVING], "no pod yet"),
        ([pod("")], "no node yet"),
        ([pod()], "scheduled on worker-1, pulling"),
        ([pod(containerStatuses=containers(CREATING, CREATING))], "scheduled on worker-1, pulling"),
        ([pod(containerStatuses=containers(RUNNING, CREATING))], "scheduled on worker-1, pulling"),
        (
            [pod(containerStatuses=containers(RUNNING, RUNNING))],
            "scheduled on worker-1, loading the model",
        ),
        (
            [pod(conditions=READY, containerStatuses=containers(RUNNING))],
            "scheduled on worker-1, ready",
        ),
        (
            [pod("worker-2", "2026-01-03"), pod(conditions=READY), LEAVING],
            "scheduled on worker-2, pulling",
        ),
    ],
)
def test_the_newest_pod_says_how_far_it_is(pods: list[dict[str, Any]], said: str) -> None:
    assert progress(pods) == said
