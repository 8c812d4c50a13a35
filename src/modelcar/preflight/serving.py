"""What serving needs of the cluster: KServe's setting, the runtime, and nodes with GPUs."""

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from modelcar import gpu, quantity
from modelcar.cluster import APPLICATIONS
from modelcar.errors import DeployError
from modelcar.look import look
from modelcar.preflight import namespace as place
from modelcar.preflight.finding import Finding
from modelcar.preflight.source import fit_finding
from modelcar.serving.gpu_kinds import kinds
from modelcar.serving.manifest import GPU
from modelcar.serving.nodes import Node, allocatable, may_serve
from modelcar.serving.objects import Objects
from modelcar.serving.runtime import from_template, missing, templates_of
from modelcar.serving.spare import ROLLING, strategy
from modelcar.values import Serving

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_CONFIGS: Final = (*APPLICATIONS, "kserve")


def kserve(api: "ApiClient") -> Iterator[Finding]:
    """Look whether KServe serves models from images at all."""
    for namespace in _CONFIGS:
        path = f"/api/v1/namespaces/{namespace}/configmaps/inferenceservice-config"
        config = look(api, path)
        if isinstance(config, dict):
            yield _modelcar(namespace, config)
            return
    yield Finding("kserve", "unknown", "its configuration may not be read")


def runtime(api: "ApiClient", namespace: str, name: str) -> Iterator[Finding]:
    """Look for the serving runtime, else for a template of it, else for the cluster's own."""
    objects, there = Objects(api, namespace), place.standing(api, namespace, name)
    yield there or _to_be_made(objects, name) or _of_the_cluster(objects, name)


def nodes(objects: Objects, serving: Serving, need: gpu.Need | None) -> Iterator[Finding]:
    """Look at the nodes that match: do the GPUs suffice, and are they free."""
    if not serving.gpus:
        yield Finding("nodes", "ok", "no GPU is asked for")
        return
    if serving.hardware_profile:
        yield Finding("nodes", "unknown", "the hardware profile chooses them")
        return
    listed = objects.nodes(serving.node_selector)
    if listed is None:
        yield Finding("nodes", "unknown", "nodes may not be read")
        return
    matching = [node for node in listed if may_serve(node, serving)]
    if not matching:
        yield _none(listed, serving)
        return
    if need and (known := kinds(matching)):
        yield fit_finding(gpu.best(need, serving, known))
    room = strategy(objects, serving) == ROLLING
    what = "there is room for one more" if room else "none is known to have room right now"
    yield Finding("nodes", "ok" if room else "warning", what)


def _none(listed: Sequence[Node], serving: Serving) -> Finding:
    """Say that no node takes it; sure is that only of a named pool that has GPU nodes now."""
    with_gpus = [node for node in listed if quantity.parse(str(allocatable(node).get(GPU, "0")))]
    if not (serving.node_selector and with_gpus):
        remedy = "correct serving.node_selector, or see that the pool can grow from none"
        return Finding("nodes", "warning", "no node matches right now", remedy)
    remedy = "correct serving.gpus, serving.node_selector or serving.tolerations, or add a node"
    what = f"none of the {len(with_gpus)} that match takes pods with {serving.gpus} GPUs"
    return Finding("nodes", "failed", what, remedy)


def _to_be_made(objects: Objects, name: str) -> Finding | None:
    for template, found in templates_of(objects, name):
        try:
            from_template(template, found, name, objects.namespace)
        except DeployError as error:
            return Finding("runtime", "failed", f"{error.what}: {error.why}", error.remedy)
        return Finding("runtime", "ok", f"{name} will be made from the cluster's template")
    return None


def _of_the_cluster(objects: Objects, name: str) -> Finding:
    status = objects.cluster_runtime_status(name)
    if status == 200:
        return Finding("runtime", "ok", f"{name} is the cluster's own")
    what = f"{name} is not there, and no template of it may be read"
    if status == 403:
        return Finding("runtime", "unknown", f"{what}; a cluster's own may not be looked up")
    return Finding("runtime", "failed", what, missing(objects.namespace, name).remedy)


def _modelcar(namespace: str, config: dict[str, Any]) -> Finding:
    text = (config.get("data") or {}).get("storageInitializer", "{}")
    try:
        enabled = json.loads(text).get("enableModelcar", False)
    except (ValueError, AttributeError):
        return Finding("kserve", "unknown", f"its configuration in {namespace} cannot be read")
    if enabled:
        return Finding("kserve", "ok", "models are served from images")
    remedy = f"set enableModelcar under storageInitializer of inferenceservice-config, {namespace}"
    return Finding("kserve", "failed", "serving from images is switched off", remedy)
