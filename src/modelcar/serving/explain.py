"""Say of a model's InferenceService whether it is ready, and what hinders it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelcar import cluster
from modelcar.errors import DeployError
from modelcar.names import dns_name
from modelcar.serving.diagnose import Diagnosis, diagnoses
from modelcar.serving.history import image_of
from modelcar.serving.objects import Objects
from modelcar.serving.rollout import condition, look
from modelcar.values import ImageDigest

if TYPE_CHECKING:
    from kubernetes.client import ApiClient


@dataclass(frozen=True, slots=True)
class Explanation:
    """One service at one moment; `causes` are what hinders it, the weightiest first."""

    name: str
    namespace: str
    ready: bool
    says: str
    """What its own condition says; empty when it is ready."""
    image: str
    """The image that it is to serve, as KServe's URI."""
    causes: tuple[Diagnosis, ...]


def explain(api: "ApiClient", model: str, namespace: str) -> Explanation:
    """Return what stands of the model's service; raise DeployError when there is none."""
    name, what = dns_name(model), f"diagnosing {namespace}/{dns_name(model)}"
    with cluster.asking(what):
        state = look(Objects(api, namespace), name)
    if state is None:
        raise DeployError(what, "there is no such InferenceService", "deploy it, or check the name")
    service = state.service
    ready = state.serves_its_own()
    says = "" if ready else condition(service, "Ready", "message")
    causes = diagnoses(state.seen())
    return Explanation(name, namespace, ready, says, image_of(service), causes)


def serves(api: "ApiClient", model: str, namespace: str, image: ImageDigest) -> bool:
    """Return whether the model's service is ready with that image; raise DeployError."""
    name = dns_name(model)
    with cluster.asking(f"looking up {namespace}/{name}"):
        state = look(Objects(api, namespace), name)
    return state is not None and state.serves(image.digest)
