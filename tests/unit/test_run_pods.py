"""What pods tell of a run's tasks."""

import json
from typing import Any

import pytest

from modelcar.run_pods import told
from modelcar.values import StageRecord
from tests import canary

BEGAN = "2026-11-28T10:00:00Z"
ENDED = "2026-11-28T10:00:30Z"


def pod(
    node: str,
    state: dict[str, Any] | None = None,
    created: str = BEGAN,
    **status: Any,
) -> dict[str, Any]:
    """Return a pod as Argo makes it; `node` is its node's name behind the workflow's."""
    annotations = {"workflows.argoproj.io/node-name": f"modelcar-x7.{node}"}
    metadata = {"name": "modelcar-x7-1", "namespace": "models", "annotations": annotations}
    main = {"name": "main", "resources": {"limits": {"memory": "2Gi"}}}
    containers = [{"name": "wait", "state": {"running": {}}}, {"name": "main", "state": state}]
    return {
        "metadata": {**metadata, "creationTimestamp": created},
        "spec": {"containers": [{"name": "wait"}, main]},
        "status": {**status, "containerStatuses": containers if state is not None else []},
    }


def ended(code: int, **more: Any) -> dict[str, Any]:
    return {
        "terminated": {"exitCode": code, "startedAt": BEGAN, "finishedAt": ENDED, **more},
    }


def message(*records: StageRecord) -> str:
    fields = ("name", "status", "started", "error", "result")
    return "".join(json.dumps({f: getattr(one, f) for f in fields}) + "\n" for one in records)


def only(*pods: dict[str, Any]) -> StageRecord:
    (found,) = told(pods)
    return found


def test_what_a_task_left_is_taken_as_it_is() -> None:
    left = StageRecord("build", "failed", 5.0, error="it broke", result={"why": "it broke"})
    found = only(pod("root.exit-handler-1.build.executor(0)", ended(1, message=message(left))))
    assert found == left


def test_a_task_may_leave_the_record_of_another_too() -> None:
    mirror, register = (StageRecord(name, "succeeded", 1.0) for name in ("mirror", "register"))
    left = message(mirror, register)
    found = told([pod("root.exit-handler-1.register.executor", ended(0, message=left))])
    assert [record.name for record in found] == ["mirror", "register"]


@pytest.mark.parametrize(
    ("node", "stage"),
    [
        ("root.exit-handler-1.mirror.executor", "mirror"),
        ("root.exit-handler-1.mirror.executor(2)", "mirror"),
        ("root.exit-handler-1.mirror(0)", "mirror"),
        ("root.exit-handler-1.verify.executor(0)", "verify"),
        ("root.exit-handler-1.transfer.executor(0)", "build"),
    ],
)
def test_the_stage_is_read_from_the_nodes_name(node: str, stage: str) -> None:
    found = only(pod(node, ended(0)))
    assert (found.name, found.status, found.seconds) == (stage, "succeeded", 30.0)


@pytest.mark.parametrize(
    "node", ["root.exit-handler-1.mirror-driver", "root-driver", "root.report.executor(0)", ""]
)
def test_pods_of_kfp_itself_and_of_the_report_are_no_stage(node: str) -> None:
    assert told([pod(node, ended(1))]) == ()


@pytest.mark.parametrize(
    ("state", "status", "error"),
    [
        (
            ended(137, reason="OOMKilled"),
            {},
            "it was killed for want of memory (limit 2Gi); run it again; if it comes back, "
            "raise its limit (pipelines/_settings.py)",
        ),
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": "manifest unknown"}},
            {},
            "its image cannot be pulled: manifest unknown; check the image's name, and the "
            "account's pull secret",
        ),
        (
            {
                "waiting": {
                    "reason": "CreateContainerConfigError",
                    "message": 'secret "x" not found',
                }
            },
            {},
            'its container cannot be made: secret "x" not found; run `modelcar bootstrap`, '
            "or make what it names",
        ),
        (
            None,
            {"reason": "Evicted", "message": "low on resource: memory"},
            "it was evicted: low on resource: memory; "
            "read `oc logs -n models modelcar-x7-1 -c main`",
        ),
        (
            None,
            {"conditions": [{"reason": "Unschedulable", "message": "0/3 nodes are available"}]},
            "no node takes it: 0/3 nodes are available; free CPU and memory, or run "
            "`modelcar bootstrap` for the volume claim",
        ),
        (
            ended(1),
            {},
            "it ended with exit code 1; read `oc logs -n models modelcar-x7-1 -c main`",
        ),
        (
            None,
            {"phase": "Failed", "message": "Pod was active longer than allowed"},
            "Pod was active longer than allowed; read `oc logs -n models modelcar-x7-1 -c main`",
        ),
    ],
)
def test_a_pod_that_never_ran_our_code_says_why(
    state: dict[str, Any] | None, status: dict[str, Any], error: str
) -> None:
    found = only(pod("root.exit-handler-1.mirror.executor", state, **status))
    assert (found.status, found.error) == ("failed", f"the pod of mirror: {error}")
    assert {"what", "why", "remedy", "evidence"} == found.result.keys()
    assert found.result["evidence"] == ["pod modelcar-x7-1"]


def test_what_still_waits_or_runs_is_no_failure() -> None:
    for state in (None, {"running": {"startedAt": BEGAN}}, {"waiting": {"reason": "PodInit"}}):
        assert only(pod("root.exit-handler-1.build.executor", state)).status == "running"


def test_of_several_tries_the_last_counts() -> None:
    node = "root.exit-handler-1.mirror.executor"
    later = pod(f"{node}(1)", ended(0), created="2026-11-28T10:01:00Z")
    same = pod(f"{node}(2)", ended(1), created="2026-11-28T10:01:00Z")
    first = pod(f"{node}(0)", ended(1))
    assert only(later, first).status == "succeeded"
    assert only(same, later, first).status == "failed"


@pytest.mark.parametrize("left", ["no json", "[]", "{}", '{"name": "build"}', "7\n", '{"name": 1}'])
def test_a_message_of_somebody_else_is_none_of_ours(left: str) -> None:
    found = only(pod("root.exit-handler-1.build.executor", ended(3, message=left)))
    assert found.error.startswith("the pod of build: it ended with exit code 3")


def test_where_our_code_went_well_the_pod_has_the_last_word() -> None:
    left = message(StageRecord("build", "succeeded", 1.0))
    found = only(pod("root.exit-handler-1.build.executor", ended(1, message=left)))
    assert (found.status, found.error[:45]) == (
        "failed",
        "the pod of build: it ended with exit code 1; ",
    )


def test_a_failure_of_our_own_is_told_once() -> None:
    left = message(StageRecord("download", "failed", 1.0, error="full"))
    (found,) = told([pod("root.exit-handler-1.transfer.executor", ended(1, message=left))])
    assert (found.name, found.error) == ("download", "full")


def test_a_driver_that_failed_keeps_its_task_from_starting() -> None:
    found = only(pod("root.exit-handler-1.build-driver", ended(1), phase="Failed"))
    assert (found.name, found.status) == ("build", "failed")


def test_a_task_that_was_told_to_end_is_no_riddle() -> None:
    found = only(pod("root.exit-handler-1.build.executor", ended(143)))
    assert "it ended with exit code 143, as where the run is cancelled; read" in found.error


def test_what_kfps_own_containers_wait_for_is_told() -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "no launcher"}}
    init = [{"name": "kfp-launcher", "state": waiting}]
    found = only(pod("root.exit-handler-1.build.executor", None, initContainerStatuses=init))
    assert "its image cannot be pulled: no launcher" in found.error


def test_a_failed_pod_says_where_it_ran_and_its_last_words() -> None:
    state = ended(1, message="level=fatal msg=denied\n\x1b[31mgone")
    placed = pod("root.exit-handler-1.mirror.executor", state)
    placed["spec"]["nodeName"] = "node-1"
    assert only(placed).result["evidence"] == [
        "pod modelcar-x7-1 on node-1",
        "level=fatal msg=denied",
        "\N{REPLACEMENT CHARACTER}[31mgone",
    ]


def test_a_launcher_that_fails_after_a_good_build_keeps_its_image() -> None:
    left = message(StageRecord("build", "succeeded", 1.0, result={"image": {"digest": "x"}}))
    found = only(pod("root.exit-handler-1.build.executor", ended(1, message=left)))
    assert (found.status, found.result["image"]) == ("failed", {"digest": "x"})
    assert found.result["what"] == "the pod of build"


def test_the_last_words_of_another_show_no_secret() -> None:
    state = ended(1, message=f"Authorization: Bearer {canary.secret()}")
    found = only(pod("root.exit-handler-1.mirror.executor", state))
    assert found.result["evidence"][1] == "Authorization: Bearer ***"
