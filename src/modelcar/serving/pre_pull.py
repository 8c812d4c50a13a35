"""Having the nodes pull an image before the service is told to serve it.

A Recreate update stops the old pod first: what is not pulled by then is time without an endpoint.
"""

import json
import logging
import math
import secrets
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from modelcar.cluster import asking
from modelcar.errors import DeployError
from modelcar.names import dns_name
from modelcar.serving.diagnose import diagnose
from modelcar.serving.nodes import may_serve
from modelcar.serving.objects import Objects, await_change
from modelcar.serving.pull_pods import LABEL, node_of, over, pull_pod, pulled
from modelcar.serving.rollout import Patience, hindered
from modelcar.serving.signs import Seen
from modelcar.serving.watching import Watching
from modelcar.values import ImageDigest, Model

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)

Pod = dict[str, Any]


def pre_pull(
    api: "ApiClient",
    model: Model,
    image: ImageDigest,
    namespace: str,
    *,
    timeout: float,
    settle: float = 60.0,
) -> tuple[str, ...]:
    """Have each node that may serve the model pull the image, and return these nodes.

    Those are the nodes with GPUs that the node selector matches; where nodes may not be read,
    those on which the service runs now. `timeout` is in seconds; what cannot heal is waited for
    `settle` seconds. Raises DeployError; what serves is not touched. The pods are deleted in any
    case, and end by themselves when this process is killed.
    """
    name = dns_name(model.name)
    what = f"pulling {image} for {namespace}/{name}"
    with asking(what):
        nodes = _nodes(Objects(api, namespace), model)
    if not nodes:
        log.warning("%s: no node is known to pull the image first", name)
        return ()
    seconds = math.ceil(timeout)
    pods = [pull_pod(model, image, node, secrets.token_hex(4), seconds) for node in nodes]
    pullers = _Pullers(api, namespace, name)
    try:
        with asking(what):
            pullers.create(pods)
        _wait(pullers, pods, Watching(what, name, time.monotonic() + timeout), Patience(settle))
    finally:
        _clean_up(pullers, pods)
    return nodes


def _nodes(objects: Objects, model: Model) -> tuple[str, ...]:
    listed = objects.nodes(model.serving.node_selector)
    if listed is None:
        pods = objects.pods(dns_name(model.name)) or ()
        return tuple(sorted({p["spec"]["nodeName"] for p in pods if p["spec"].get("nodeName")}))
    return tuple(n["metadata"]["name"] for n in listed if may_serve(n, model.serving))


def _wait(
    pullers: "_Pullers", wanted: Sequence[Pod], watching: Watching, patience: Patience
) -> None:
    names = {_name(pod) for pod in wanted}
    while True:
        found, version = watching.read(pullers.list)
        ours = [pod for pod in found if _name(pod) in names]
        left = [pod for pod in ours if not pulled(pod)]
        watching.say(f"{len(ours) - len(left)} of {len(names)} nodes have the image")
        if len(ours) < len(names):
            raise DeployError(watching.what, "a pod that pulls it was deleted", "deploy again")
        if not left:
            return
        _require_hope(watching, patience, left)
        watching.pause(partial(pullers.await_change, version), patience.settle)


def _require_hope(watching: Watching, patience: Patience, left: Sequence[Pod]) -> None:
    """Raise DeployError where a node cannot pull the image, or did not in time."""
    diagnosis = diagnose(Seen({"metadata": {"name": watching.name}}, left))
    if diagnosis:
        watching.say(f"pulling the image: {diagnosis.cause}")
    ended = any(over(pod) for pod in left)
    if not (patience.tried_by(diagnosis, time.monotonic()) or ended or watching.left <= 0):
        return
    if worst := patience.worst or diagnosis:
        raise hindered(watching.what, worst)
    why = f"{', '.join(node_of(pod) for pod in left)} did not pull it in time"
    raise DeployError(watching.what, why, "wait longer with --timeout, or leave out --pre-pull")


def _clean_up(pullers: "_Pullers", pods: Sequence[Pod]) -> None:
    """Delete the pods, and what a run that was killed left; where that fails they end anyway."""
    try:
        with asking(f"deleting the pods that pulled for {pullers.service}"):
            left = [pod for pod in pullers.list()[0] if over(pod)]
            pullers.delete({_name(pod) for pod in (*pods, *left)})
    except DeployError as error:
        log.warning("%s", error)


def _name(pod: Pod) -> str:
    return str(pod["metadata"]["name"])


@dataclass(frozen=True, slots=True)
class _Pullers:
    """The pods that pull for one service."""

    api: "ApiClient"
    namespace: str
    service: str

    def create(self, pods: Sequence[Pod]) -> None:
        from kubernetes.client import CoreV1Api

        for pod in pods:
            CoreV1Api(self.api).create_namespaced_pod(self.namespace, pod)

    def list(self) -> tuple[Sequence[Pod], str]:
        """Return the pods, and the version from which on they are watched."""
        from kubernetes.client import CoreV1Api

        listed = CoreV1Api(self.api).list_namespaced_pod(
            self.namespace, label_selector=self._selector, _preload_content=False
        )
        found = json.loads(listed.data)
        return found["items"], str(found["metadata"]["resourceVersion"])

    def await_change(self, version: str, seconds: float) -> None:
        from kubernetes.client import CoreV1Api

        chosen = {"label_selector": self._selector, "resource_version": version}
        await_change(CoreV1Api(self.api).list_namespaced_pod, [self.namespace], chosen, seconds)

    def delete(self, names: Collection[str]) -> None:
        from kubernetes.client import CoreV1Api
        from kubernetes.client.rest import ApiException

        for name in names:
            try:
                CoreV1Api(self.api).delete_namespaced_pod(name, self.namespace)
            except ApiException as error:
                if error.status != 404:
                    raise

    @property
    def _selector(self) -> str:
        return f"{LABEL}={self.service}"
