from typing import Any

import pytest

from modelcar.serving.diagnose import diagnose

Pod = dict[str, Any]


def service(**status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "mistral"}, "status": status}


def pod(**status: Any) -> Pod:
    return {"metadata": {"name": "mistral-1"}, "status": status}


def unschedulable(message: str) -> Pod:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return pod(conditions=[{**condition, "message": message}])


def waiting(reason: str, message: str = "", restarts: int = 0) -> Pod:
    state = {"waiting": {"reason": reason, "message": message}}
    status = {"name": "modelcar-init", "state": state, "restartCount": restarts}
    return pod(initContainerStatuses=[status])


def ended(reason: str, message: str = "", restarts: int = 0) -> Pod:
    before = {"terminated": {"reason": reason, "message": message, "exitCode": 137}}
    backing_off = {"waiting": {"reason": "CrashLoopBackOff"}}
    status = {"name": "kserve-container", "state": backing_off, "lastState": before}
    return pod(containerStatuses=[{**status, "restartCount": restarts}])


@pytest.mark.parametrize(
    ("found", "cause", "remedy", "terminal"),
    [
        (
            unschedulable(
                "0/6 nodes are available: 1 Insufficient nvidia.com/gpu, 5 node(s)"
                " didn't match Pod's node affinity/selector."
            ),
            "no node has the resources free",
            "free GPUs",
            False,
        ),
        (
            unschedulable(
                "0/6 nodes are available: 3 node(s) had untolerated taint {master: },"
                " 3 node(s) didn't match Pod's node affinity/selector."
            ),
            "no node fits the node selector",
            "serving.node_selector",
            False,
        ),
        (
            unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint {team: a}."),
            "no node is left that the pod tolerates",
            "remove the taint",
            False,
        ),
        (
            unschedulable("0/1 nodes are available: 1 Too many pods."),
            "the pod cannot be scheduled",
            "make room",
            False,
        ),
        (
            waiting("ErrImagePull", "reading manifest: unauthorized: access is not authorized"),
            "the node may not pull the image",
            "serving.pull_secret",
            True,
        ),
        (
            waiting("ImagePullBackOff", "Back-off: ErrImagePull: manifest unknown"),
            "the OCI registry does not have the image",
            "mirror it again",
            True,
        ),
        (
            waiting("ErrImagePull", "tls: x509: certificate signed by unknown authority"),
            "does not trust the OCI registry's certificate",
            "additionalTrustedCA",
            True,
        ),
        (
            waiting("ErrImagePull", "copying config: context canceled"),
            "gave up while it pulled",
            "pull_progress_timeout",
            False,
        ),
        (
            waiting("ErrImagePull", "writing blob: no space left on device"),
            "the node's disk is too small",
            "larger root disk",
            False,
        ),
        (
            pod(phase="Failed", reason="Evicted", message="low on resource: ephemeral-storage"),
            "the node's disk is too small",
            "larger root disk",
            False,
        ),
        (waiting("ImagePullBackOff", "Back-off"), "cannot be pulled", "oc describe pod", False),
        (
            ended("Error", "NOK ... Prefetched but modelcar is invalid"),
            "the image is no ModelCar",
            "default base image",
            True,
        ),
        (ended("OOMKilled", restarts=1), "more memory than its limit", "serving.memory", False),
        (ended("OOMKilled", restarts=2), "more memory than its limit", "serving.memory", True),
        (
            waiting("CrashLoopBackOff", "back-off 40s", restarts=3),
            "starts and ends again and again",
            "oc logs --previous",
            True,
        ),
    ],
)
def test_pods_tell_one_cause_and_one_remedy(
    found: Pod, cause: str, remedy: str, terminal: bool
) -> None:
    diagnosis = diagnose(service(), [found])

    assert diagnosis is not None
    assert cause in diagnosis.cause
    assert "mistral-1" in diagnosis.cause
    assert remedy in diagnosis.remedy
    assert diagnosis.terminal is terminal


def test_a_missing_runtime_is_told_by_the_service() -> None:
    failure = {"reason": "RuntimeNotRecognized", "message": "Waiting for runtime"}

    diagnosis = diagnose(service(modelStatus={"lastFailureInfo": failure}), [])

    assert diagnosis is not None
    assert "the serving runtime is missing" in diagnosis.cause
    assert diagnosis.terminal


def test_a_stopped_service_is_told_before_its_pods() -> None:
    stopped = service(conditions=[{"type": "Stopped", "status": "True"}])

    diagnosis = diagnose(stopped, [waiting("ImagePullBackOff")])

    assert diagnosis is not None
    assert "stopped" in diagnosis.cause


def test_what_is_normal_while_a_model_starts_is_no_diagnosis() -> None:
    starting = service(
        conditions=[
            {"type": "Ready", "status": "False", "reason": "MinimumReplicasUnavailable"},
            {"type": "Stopped", "status": "False"},
        ],
        modelStatus={"states": {"targetModelState": "Pending"}, "transitionStatus": "InProgress"},
    )
    finished = {"terminated": {"reason": "Completed", "exitCode": 0}}
    crashed = {"terminated": {"reason": "Error", "exitCode": 1, "message": "NOK ... Prefetched"}}
    started = pod(
        conditions=[{"type": "PodScheduled", "status": "True"}],
        initContainerStatuses=[{"name": "modelcar-init", "state": finished}],
        containerStatuses=[
            {"name": "modelcar", "state": {"running": {}}, "lastState": crashed},
            {"name": "kserve-container", "state": {"waiting": {"reason": "PodInitializing"}}},
        ],
    )

    assert diagnose(starting, [started, {"metadata": {"name": "new"}}]) is None


def test_a_pod_that_is_being_deleted_says_nothing() -> None:
    old = waiting("ErrImagePull", "unauthorized")
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert diagnose(service(), [old]) is None
