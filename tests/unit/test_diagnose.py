from typing import Any

import pytest

from modelcar.serving.diagnose import diagnose, diagnoses
from modelcar.serving.signs import Seen

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
            "serving.tolerations",
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
    diagnosis = diagnose(Seen(service(), [found]))

    assert diagnosis is not None
    assert cause in diagnosis.cause
    assert "mistral-1" in diagnosis.cause
    assert remedy in diagnosis.remedy
    assert diagnosis.terminal is terminal


def test_a_missing_runtime_is_told_by_the_service() -> None:
    failure = {"reason": "RuntimeNotRecognized", "message": "Waiting for runtime"}

    diagnosis = diagnose(Seen(service(modelStatus={"lastFailureInfo": failure})))

    assert diagnosis is not None
    assert "the serving runtime is missing" in diagnosis.cause
    assert diagnosis.terminal


def test_a_stopped_service_is_told_before_its_pods() -> None:
    stopped = service(conditions=[{"type": "Stopped", "status": "True"}])

    diagnosis = diagnose(Seen(stopped, [waiting("ImagePullBackOff")]))

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

    assert diagnose(Seen(starting, [started, {"metadata": {"name": "new"}}])) is None


def test_a_pod_that_is_being_deleted_says_nothing() -> None:
    old = waiting("ErrImagePull", "unauthorized")
    old["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert diagnose(Seen(service(), [old])) is None


def deployment(message: str) -> dict[str, Any]:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    status = {"conditions": [{**failure, "message": message}]}
    return {"metadata": {"name": "mistral-predictor"}, "status": status}


def event(message: str) -> dict[str, Any]:
    about = {"kind": "ReplicaSet", "name": "mistral-predictor-5d"}
    return {"reason": "FailedCreate", "message": message, "involvedObject": about}


QUOTA = "pods is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=4"
SCC = "pods is forbidden: unable to validate against any security context constraint: []"
LIMITS = "pods is forbidden: maximum memory usage per Container is 8Gi, but limit is 32Gi"


@pytest.mark.parametrize(
    ("message", "cause", "terminal"),
    [
        (QUOTA, "the namespace's quota leaves no room for the pod", False),
        (SCC, "the pod asks for what its security context constraint forbids", True),
        (LIMITS, "the namespace's LimitRange refuses the pod", True),
        ("Internal error occurred", "the pod cannot be created", False),
    ],
)
def test_what_keeps_pods_from_being_made_is_told(message: str, cause: str, terminal: bool) -> None:
    for seen in (
        Seen(service(), deployment=deployment(message)),
        Seen(service(), events=[event(message)]),
    ):
        diagnosis = diagnose(seen)
        assert diagnosis is not None
        assert diagnosis.cause.startswith(f"{cause} (mistral-predictor")
        assert diagnosis.terminal is terminal
    assert diagnose(Seen(service(), [pod()], deployment(message), [event(message)])) is None


LOGS = [
    (
        "ValueError: To serve at least one request with the models's max seq len (32768), (5.00 GiB"
        " KV cache is needed, which is larger than the available KV cache memory (4.10 GiB). Based"
        " on the available memory, the estimated maximum model length is 26864. Try increasing",
        "a context of 32768 tokens does not fit beside the weights",
        "set serving.max_model_len to 26864 or less",
    ),
    (
        "To serve at least one request with the model's max seq len 131072, 20.0 GiB KV cache is"
        " needed, which is larger than the available KV cache memory 5.1 GiB. Based on this the"
        " estimated maximum model length is 33000.",
        "a context of 131072 tokens does not fit beside the weights",
        "set serving.max_model_len to 33000 or less",
    ),
    (
        "ValueError: No available memory for the cache blocks. Try increasing",
        "the weights leave no room for the KV cache",
        "take more GPUs",
    ),
    (
        "ValueError: Free memory on device cuda:0 (10.5/22.0 GiB) on startup is less than desired"
        " GPU memory utilization (0.9, 19.8 GiB).",
        "only 10.5 of the GPU's 22.0 GiB are free",
        "stop what shares this GPU",
    ),
    (
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
        "the GPU's memory does not suffice",
        "lower serving.max_model_len",
    ),
    (
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0.",
        "the GPU has no bfloat16",
        "add --dtype=half",
    ),
    (
        "Total number of attention heads (14) must be divisible by tensor parallel size (4).",
        "the attention heads cannot be spread over so many GPUs",
        "serving.tensor_parallel_size",
    ),
    (
        "HFValidationError: Repo id must be in the form 'repo_name' or 'namespace/repo_name': '/x'",
        "vLLM does not find the model at /mnt/models",
        "remove --model",
    ),
    (
        "ValueError: The model's max seq len (65536) is larger than the maximum number of tokens"
        " that can be stored in KV cache (4096).",
        "a context of 65536 tokens does not fit beside the weights",
        "lower serving.max_model_len",
    ),
    (
        "Value error, User-specified max_model_len (65536) is greater than the derived"
        " max_model_len (max_position_embeddings=32768 or model_max_length=None)",
        "a context of 65536 tokens is longer than the model was made for",
        "set serving.max_model_len to 32768",
    ),
    (
        "FileNotFoundError: [Errno 2] No such file or directory: '/mnt/models/config.json'",
        "vLLM does not find the model at /mnt/models",
        "remove --model",
    ),
    (
        "ValueError: Invalid repository ID or local directory specified: '/mnt/models'.",
        "vLLM does not find the model at /mnt/models",
        "remove --model",
    ),
    (
        "OSError: /mnt/models does not exist",
        "vLLM does not find the model at /mnt/models",
        "remove --model",
    ),
    (
        "RuntimeError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO for details)",
        "the GPUs cannot talk to each other",
        "mount an emptyDir",
    ),
]


@pytest.mark.parametrize(("text", "cause", "remedy"), LOGS)
def test_the_log_of_a_crashed_container_says_more_than_that_it_crashed(
    text: str, cause: str, remedy: str
) -> None:
    crashed = ended("Error", restarts=3)
    before = "\n".join(f"INFO line {number}" for number in range(20))
    log = f"{before}\n{text}\nTraceback ends"

    found = diagnoses(Seen(service(), [crashed], logs={"mistral-1/kserve-container": log}))

    first, *others = found
    assert first.cause.startswith(cause)
    assert remedy in first.remedy
    assert first.terminal
    assert first.evidence[-1] == text
    assert first.evidence[0] == "INFO line 13"
    assert any("starts and ends again and again" in other.cause for other in others)


def test_a_harmless_line_about_the_folder_says_nothing() -> None:
    crashed = ended("Error", restarts=3)
    log = "INFO /mnt/models/chat_template.json: does not exist, using the default"
    seen = Seen(service(), [crashed], logs={"mistral-1/kserve-container": log})
    assert [one.where for one in diagnoses(seen)] == ["waiting"]


def test_digits_of_a_digest_are_no_refusal() -> None:
    message = f'Back-off pulling image "quay.io/m@sha256:{"a401" * 16}"'
    diagnosis = diagnose(Seen(service(), [waiting("ImagePullBackOff", message)]))
    assert diagnosis is not None
    assert diagnosis.cause.startswith("the image cannot be pulled")
    assert not diagnosis.terminal


def test_a_log_of_something_else_leaves_the_crash() -> None:
    crashed = ended("Error", restarts=3)
    seen = Seen(service(), [crashed], logs={"mistral-1/kserve-container": "Segmentation fault"})
    diagnosis = diagnose(seen)
    assert diagnosis is not None
    assert "starts and ends again and again" in diagnosis.cause
    assert diagnosis.evidence == ()


def test_memory_weighs_more_than_the_log_and_a_pull_more_than_both() -> None:
    killed = ended("OOMKilled", restarts=2)
    log = {"mistral-1/kserve-container": "CUDA out of memory"}
    pulling = waiting("ErrImagePull", "unauthorized")
    pulling["metadata"] = {"name": "mistral-2"}

    found = diagnoses(Seen(service(), [killed, pulling], logs=log))

    assert [one.where for one in found] == ["waiting", "ended", "log", "waiting"]
