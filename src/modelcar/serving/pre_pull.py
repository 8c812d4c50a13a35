"""Having the nodes pull an image before the service is told to serve it.

A Recreate update stops the old pod first: what is not pulled by then is time without an endpoint.
"""

import logging
import math
import secrets
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from modelcar.cluster import asking
from modelcar.errors import DeployError
from modelcar.names import dns_name
from modelcar.serving.diagnose import diagnose
from modelcar.serving.nodes import may_serve
from modelcar.serving.objects import Objects
from modelcar.serving.pull_pods import (
    Pod,
    PullPods,
    forgotten,
    name_of,
    node_of,
    over,
    pull_pod,
    pulled,
    reason_of,
    unscheduled,
)
from modelcar.serving.rollout import Patience, hindered
from modelcar.serving.signs import Seen
from modelcar.serving.watching import Watching
from modelcar.values import ImageDigest, Model

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)


def pre_pull(
    api: "ApiClient",
    model: Model,
    image: ImageDigest,
    namespace: str,
    *,
    timeout: float,
    settle: float = 60.0,
) -> tuple[str, ...]:
    """Have each node that may serve the model pull the image, and return those that have it.

    Those are the nodes with GPUs that the node selector matches; where nodes may not be read, or
    a hardware profile chooses them, those on which the service runs now. One that has no room for
    the pod within `settle` seconds is left out. `timeout` is in seconds. Raises DeployError; what
    serves is not touched. The pods are deleted in any case.
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
    pullers = PullPods(api, namespace, name)
    watching = Watching(what, name, time.monotonic() + timeout)
    try:
        with asking(what):
            pullers.create(pods)
        return _Pulling(pods, watching, settle).wait(pullers)
    finally:
        _clean_up(pullers, pods)


def _nodes(objects: Objects, model: Model) -> tuple[str, ...]:
    listed = objects.nodes(model.serving.node_selector)
    if listed is None or model.serving.hardware_profile:
        pods = objects.pods(dns_name(model.name)) or ()
        return tuple(sorted({p["spec"]["nodeName"] for p in pods if p["spec"].get("nodeName")}))
    return tuple(n["metadata"]["name"] for n in listed if may_serve(n, model.serving))


class _Pulling:
    """One wait, for pods that are to pull an image."""

    def __init__(self, pods: Sequence[Pod], watching: Watching, settle: float) -> None:
        self._nodes = {name_of(pod): node_of(pod) for pod in pods}
        self._watching, self._settle = watching, settle
        self._patience = Patience(settle)
        self._done: set[str] = set()
        self._since: dict[str, float] = {}
        """When a pod was first seen without a node."""

    def wait(self, pullers: PullPods) -> tuple[str, ...]:
        """Return the nodes that have the image."""
        while True:
            found, version = self._watching.read(pullers.list)
            left = self._left({name_of(pod): pod for pod in found})
            self._watching.say(f"{len(self._done)} of {len(self._nodes)} nodes have the image")
            if not left:
                return self._all()
            self._require_hope(left)
            self._watching.pause(partial(pullers.await_change, version), self._settle)

    def _left(self, there: Mapping[str, Pod]) -> list[Pod]:
        """Return the pods that still pull; note which have done so, and leave out the stuck."""
        self._done |= {name for name in self._nodes if pulled(there.get(name, {}))}
        left = [name for name in self._nodes if name not in self._done]
        if lost := [name for name in left if name not in there]:
            why = f"its pod on {self._nodes[lost[0]]} was deleted"
            raise DeployError(self._watching.what, why, "deploy again")
        for name in left:
            if reason := unscheduled(there[name]):
                self._leave_out(name, reason)
        return [there[name] for name in left if name in self._nodes]

    def _leave_out(self, name: str, reason: str) -> None:
        now = time.monotonic()
        if now - self._since.setdefault(name, now) >= self._settle:
            node = self._nodes.pop(name)
            self._watching.say(f"{node} is left out: {reason}", logging.WARNING)

    def _all(self) -> tuple[str, ...]:
        if not self._nodes:
            why, remedy = "no node has room for the pod that pulls", "leave out --pre-pull"
            raise DeployError(self._watching.what, why, remedy)
        return tuple(self._nodes.values())

    def _require_hope(self, left: Sequence[Pod]) -> None:
        """Raise DeployError where a node cannot pull the image, or did not in time."""
        watching = self._watching
        diagnosis = diagnose(Seen({"metadata": {"name": watching.name}}, left))
        if diagnosis and diagnosis.where != "scheduling":
            watching.say(f"pulling the image: {diagnosis.cause}")
        ended = next((pod for pod in left if over(pod)), None)
        if self._patience.tried_by(diagnosis, time.monotonic()) or (ended and diagnosis):
            raise hindered(watching.what, self._patience.worst or diagnosis)  # type: ignore[arg-type]
        if ended:
            why = f"its pod on {node_of(ended)} ended: {reason_of(ended)}"
            raise DeployError(watching.what, why, "deploy again, or leave out --pre-pull")
        if watching.left <= 0:
            why = f"{', '.join(node_of(pod) for pod in left)} did not pull it in time"
            remedy = "wait longer with --timeout, or leave out --pre-pull"
            raise DeployError(watching.what, why, remedy)


def _clean_up(pullers: PullPods, pods: Sequence[Pod]) -> None:
    """Delete the pods, and what a run that was killed left; where that fails they end anyway."""
    try:
        with asking(f"deleting the pods that pulled for {pullers.service}"):
            now = datetime.now(UTC)
            left = [pod for pod in pullers.list()[0] if forgotten(pod, now)]
            pullers.delete({name_of(pod) for pod in (*pods, *left)})
    except DeployError as error:
        log.warning("%s", error)
