"""A rollout whose steps and failures are written one by one, as KServe and kubelet would."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from modelcar.errors import DeployError
from tests.servers.kserve import deployment
from tests.servers.kubelet import Kubelet
from tests.serving_models import IMAGE
from tests.serving_site import NAME, POD, Listener, Site

Act = Callable[[Site], None]
Status = dict[str, Any]
RUNNING: Status = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}


@pytest.fixture
def kubelet(site: Site) -> Iterator[Kubelet]:
    with Kubelet(site.server) as found:
        yield found


def container(name: str, state: Status, **more: Any) -> Status:
    fixed = {"image": "x", "imageID": "", "ready": False, "restartCount": 0}
    return {"name": name, "state": state, **fixed, **more}


def waiting(reason: str, message: str = "") -> Status:
    return {"waiting": {"reason": reason, "message": message}}


def starting(state: Status) -> Status:
    return {"containerStatuses": [container("kserve-container", state)]}


def pending() -> Status:
    states = {"targetModelState": "Pending"}
    return {"modelStatus": {"states": states, "transitionStatus": "InProgress"}}


def test_each_step_is_said_as_it_comes(
    site: Site, kubelet: Kubelet, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    def created() -> None:
        site.set_service(pending())
        site.add_pod({})

    def pulling() -> None:
        site.bind(kubelet.node)
        site.set_pod(starting(waiting("ContainerCreating")))

    said = f"waiting until it is ready: scheduled on {kubelet.node}, "
    listener.upon("waiting until it is ready: no pod yet", created)
    listener.upon("waiting until it is ready: no node yet", pulling)
    listener.upon(f"{said}pulling", lambda: site.set_pod(starting(RUNNING)))
    listener.upon(f"{said}loading the model", site.bring_up)

    endpoint = site.deploy(settle=1.0)

    assert endpoint.url == site.vllm.url
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("modelcar.serving")]
    assert lines[:5] == [
        f"{NAME}: created",
        f"{NAME}: waiting until it is ready: no pod yet",
        f"{NAME}: waiting until it is ready: no node yet",
        f"{NAME}: {said}pulling",
        f"{NAME}: {said}loading the model",
    ]
    assert lines[5].startswith(f"{NAME}: first token after ")


def test_an_api_server_that_restarts_midway_is_waited_for(site: Site, listener: Listener) -> None:
    waiting, noticed = listener.event("no pod yet"), threading.Event()
    for words in ("the watch broke", "the API server is away"):
        listener.upon(words, noticed.set)
    away: list[bool] = []

    def restart_then_finish() -> None:
        assert waiting.wait(20)
        site.server.restart(meanwhile=lambda: away.append(noticed.wait(20)))
        site.bring_up()

    thread = threading.Thread(target=restart_then_finish)
    thread.start()
    try:
        assert site.deploy(timeout=60.0).url == site.vllm.url
    finally:
        thread.join()
    assert away == [True]


def pod(**status: Any) -> Act:
    return lambda site: site.add_pod(status)


def unschedulable(message: str) -> Act:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return pod(conditions=[{**condition, "message": f"0/3 nodes are available: {message}"}])


def pull(message: str) -> Act:
    return pod(initContainerStatuses=[container("modelcar-init", waiting("ErrImagePull", message))])


def ended(name: str, reason: str, message: str = "", restarts: int = 0) -> Status:
    over = {"terminated": {"exitCode": 1, "reason": reason, "message": message}}
    state = waiting("CrashLoopBackOff", "back-off 40s")
    return container(name, state, lastState=over, restartCount=restarts)


def crash(reason: str = "Error", restarts: int = 3) -> Act:
    return pod(containerStatuses=[ended("kserve-container", reason, restarts=restarts)])


def no_modelcar(message: str) -> Act:
    return pod(initContainerStatuses=[ended("modelcar-init", "Error", message)])


def service(**status: Any) -> Act:
    return lambda site: site.set_service(status)


def refused(message: str) -> Act:
    """Have the Deployment say that its pod may not be created."""

    def act(site: Site) -> None:
        path = f"/apis/apps/v1/namespaces/{site.namespace}/deployments"
        site.server.request("POST", path, deployment(NAME, f"oci://{IMAGE}"))
        failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
        status = {"conditions": [{**failure, "message": f"pods is forbidden: {message}"}]}
        patch = f"{path}/{NAME}-predictor/status"
        merge = "application/merge-patch+json"
        site.server.request("PATCH", patch, {"status": status}, merge)

    return act


FAILURES: list[tuple[Act, str, str]] = [
    (unschedulable("3 Insufficient nvidia.com/gpu."), "no node has the resources", "free GPUs"),
    (
        unschedulable("3 node(s) didn't match Pod's node affinity/selector."),
        "no node fits the node selector",
        "serving.node_selector",
    ),
    (
        unschedulable("3 node(s) had untolerated taint {team: a}."),
        "no node is left that the pod tolerates",
        "serving.tolerations",
    ),
    (refused("exceeded quota: gpus"), "the namespace's quota", "raise the ResourceQuota"),
    (
        refused("unable to validate against any security context constraint"),
        "security context constraint forbids",
        "bind an SCC",
    ),
    (pull("unauthorized: no access"), "the node may not pull", "serving.pull_secret"),
    (pull("manifest unknown"), "does not have the image", "mirror it again"),
    (pull("x509: unknown authority"), "does not trust", "additionalTrustedCA"),
    (pull("copying config: context canceled"), "gave up while", "pull_progress_timeout"),
    (pull("no space left on device"), "disk is too small", "larger root disk"),
    (
        pod(phase="Failed", reason="Evicted", message="low on resource: ephemeral-storage"),
        "disk is too small",
        "larger root disk",
    ),
    (no_modelcar('exec: "sh": not found'), "no ModelCar", "default base image"),
    (no_modelcar("NOK ... Prefetched but modelcar is invalid"), "no ModelCar", "default base"),
    (
        service(modelStatus={"lastFailureInfo": {"reason": "RuntimeNotRecognized"}}),
        "the serving runtime is missing",
        "oc process",
    ),
    (crash("OOMKilled"), "more memory than its limit", "raise serving.memory"),
    (crash(), "starts and ends again and again", "oc logs --previous"),
]


@pytest.mark.parametrize(("act", "cause", "remedy"), FAILURES, ids=[f[1] for f in FAILURES])
def test_each_failure_is_one_cause_and_one_remedy(
    site: Site, listener: Listener, act: Act, cause: str, remedy: str
) -> None:
    listener.upon("no pod yet", lambda: act(site))

    with pytest.raises(DeployError) as caught:
        site.deploy(timeout=3.0, settle=1.0)

    assert cause in caught.value.why
    assert remedy in caught.value.remedy


LOGS = [
    (
        "ValueError: To serve at least one request with the model's max seq len (32768), 5.0 GiB KV"
        " cache is needed, which is larger than the available KV cache memory (3.9 GiB). Based on"
        " the available memory, the estimated maximum model length is 25600.",
        "a context of 32768 tokens does not fit",
        "set serving.max_model_len to 25600",
    ),
    ("ValueError: No available memory for the cache blocks.", "no room for the KV", "more GPUs"),
    (
        "ValueError: Free memory on device (3.1/22.0 GiB) on startup is less than desired GPU"
        " memory utilization (0.9, 19.8 GiB).",
        "only 3.1 of the GPU's 22.0 GiB are free",
        "stop what shares this GPU",
    ),
    ("torch.OutOfMemoryError: CUDA out of memory.", "memory does not suffice", "--max-num-seqs"),
    (
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0.",
        "no bfloat16",
        "--dtype=half",
    ),
    (
        "Total number of attention heads (32) must be divisible by tensor parallel size (3).",
        "cannot be spread",
        "serving.tensor_parallel_size",
    ),
    (
        "HFValidationError: Repo id must be in the form 'repo_name': '/mnt/models'.",
        "does not find the model",
        "remove --model",
    ),
    (
        "ncclUnhandledCudaError: NCCL error: unhandled system error (run with NCCL_DEBUG=INFO)",
        "shared memory is too small",
        "/dev/shm",
    ),
]


@pytest.mark.parametrize(("said", "cause", "remedy"), LOGS, ids=[log[1] for log in LOGS])
def test_the_last_lines_of_a_crashed_container_are_read(
    site: Site, kubelet: Kubelet, listener: Listener, said: str, cause: str, remedy: str
) -> None:
    kubelet.logs["kserve-container"] = f"INFO starting\n{said}\n"

    def act() -> None:
        crash()(site)
        site.bind(kubelet.node)

    listener.upon("no pod yet", act)

    with pytest.raises(DeployError) as caught:
        site.deploy(timeout=60.0, settle=1.0)

    assert cause in caught.value.why
    assert f"{POD}/kserve-container" in caught.value.why
    assert remedy in caught.value.remedy
    assert caught.value.__notes__[0] == "INFO starting"
    assert caught.value.__notes__[-1] == f"pod {POD}: Pending on {kubelet.node}"
