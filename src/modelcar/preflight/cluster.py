"""What the namespace and the cluster need: rights, volume claim, runtime, nodes, secrets."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from modelcar import gpu, quantity
from modelcar.bootstrap import found
from modelcar.bootstrap.rights import RIGHTS, Right
from modelcar.cluster import request
from modelcar.preflight.finding import Finding, State
from modelcar.preflight.source import fit_finding
from modelcar.serving.gpu_kinds import kinds
from modelcar.serving.nodes import may_serve
from modelcar.serving.objects import Objects
from modelcar.serving.runtime import templates_of
from modelcar.serving.spare import ROLLING, strategy
from modelcar.values import Model
from modelcar.wording import size

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_CONFIGS: Final = ("redhat-ods-applications", "opendatahub", "kserve")
_TEMPLATES: Final = "redhat-ods-applications"


@dataclass(frozen=True, slots=True)
class Namespace:
    """The checks of one namespace for one model."""

    api: "ApiClient"
    name: str
    model: Model

    def rights(self) -> Iterator[Finding]:
        """Ask the API server for each right by itself, as this account."""
        every = [(right, verb) for right in RIGHTS for verb in right.verbs]
        lacking = [(right, verb) for right, verb in every if not self._may(right, verb)]
        for right, verb in lacking:
            state: State = "failed" if right.place == "namespace" else "warning"
            rule = f'{{apiGroups: ["{right.group}"], resources: ["{right.resource}"], '
            remedy = f'run `modelcar bootstrap -n {self.name}`, or grant {rule}verbs: ["{verb}"]}}'
            what = f"no right to {verb} {right.resource} ({right.serves})"
            yield Finding("rights", state, what, remedy)
        if not lacking:
            what = f"the account that asks has all rights in {self.name} and beside it"
            yield Finding("rights", "ok", what)

    def _may(self, right: Right, verb: str) -> bool:
        resource, _, sub = right.resource.partition("/")
        places = {"namespace": self.name, "templates": _TEMPLATES, "cluster": ""}
        asked = {"group": right.group, "resource": resource, "subresource": sub, "verb": verb}
        asked["namespace"] = places[right.place]
        head = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        body = {**head, "spec": {"resourceAttributes": asked}}
        return bool(request(self.api, "POST", path, (), body)["status"]["allowed"])

    def volume(self, claim: str, needed: int) -> Iterator[Finding]:
        """Look at the volume claim: is it there, bound, and large enough for the files."""
        path = f"/api/v1/namespaces/{self.name}/persistentvolumeclaims/{claim}"
        pvc = self._get(path)
        if pvc is None or pvc == 403:
            remedy = f"run `modelcar bootstrap -n {self.name}`"
            state: State = "failed" if pvc is None else "unknown"
            what = f"{claim} is {'not there' if pvc is None else 'hidden'}"
            yield Finding("pvc", state, what, remedy)
            return
        yield _claim(claim, pvc, needed)

    def runtime(self) -> Iterator[Finding]:
        """Look for the serving runtime, else for a template of it."""
        name, objects = self.model.serving.runtime, Objects(self.api, self.name)
        status = objects.runtime_status(name)
        if status == 200:
            yield Finding("runtime", "ok", f"{name} is there")
        elif status == 403:
            yield Finding("runtime", "unknown", f"{name} may not be looked up")
        elif next(templates_of(objects, name), None):
            yield Finding("runtime", "ok", f"{name} will be made from the cluster's template")
        else:
            remedy = f"oc process -n {_TEMPLATES} {name}-template | oc apply -n {self.name} -f -"
            what = f"{name} is not there, and no template of it may be read"
            yield Finding("runtime", "failed", what, remedy)

    def nodes(self, need: gpu.Need | None) -> Iterator[Finding]:
        """Look at the nodes that match: do the GPUs suffice, and are they free."""
        serving, objects = self.model.serving, Objects(self.api, self.name)
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
            remedy = "correct serving.node_selector or serving.tolerations, or add such a node"
            what = f"of {len(listed)} matching nodes none takes it, with {serving.gpus} GPUs"
            yield Finding("nodes", "failed", what, remedy)
            return
        if need and (known := kinds(matching)):
            yield fit_finding(gpu.best(need, serving, known))
        room = strategy(objects, serving) == ROLLING
        what = "there is room for one more" if room else "none is known to have room right now"
        yield Finding("nodes", "ok" if room else "warning", what)

    def pull_secret(self) -> Iterator[Finding]:
        """Look for the secret that the model names for its nodes to pull with."""
        name = self.model.serving.pull_secret
        if not name:
            yield Finding("pull_secret", "ok", "none is named")
            return
        there = self._get(f"/api/v1/namespaces/{self.name}/secrets/{name}")
        if there is None:
            remedy = "run `modelcar bootstrap --env-file .env`, or correct serving.pull_secret"
            yield Finding("pull_secret", "failed", f"{name} is not there", remedy)
        elif there == 403:
            yield Finding("pull_secret", "unknown", f"{name} may not be looked up")
        else:
            yield Finding("pull_secret", "ok", f"{name} is there")

    def kserve(self) -> Iterator[Finding]:
        """Look whether KServe serves models from images at all."""
        for namespace in _CONFIGS:
            path = f"/api/v1/namespaces/{namespace}/configmaps/inferenceservice-config"
            config = self._get(path)
            if isinstance(config, dict):
                yield _modelcar(namespace, config)
                return
        yield Finding("kserve", "unknown", "its configuration may not be read")

    def pipelines_server(self) -> Iterator[Finding]:
        """Look for the pipelines server of the namespace."""
        name = found.pipelines_server(self.api, self.name)
        if name:
            yield Finding("pipelines_server", "ok", f"{name} is there")
        else:
            remedy = "make one in the dashboard: Data science pipelines, Configure pipeline server"
            yield Finding("pipelines_server", "warning", "none is seen", remedy)

    def _get(self, path: str) -> Any:
        """Return an object, None where there is none, 403 where it is hidden."""
        from kubernetes.client.rest import ApiException

        try:
            return request(self.api, "GET", path)
        except ApiException as error:
            if error.status == 404:
                return None
            if error.status == 403:
                return 403
            raise


def _claim(name: str, pvc: dict[str, Any], needed: int) -> Finding:
    status = pvc.get("status") or {}
    asked = pvc["spec"]["resources"]["requests"]["storage"]
    room = quantity.parse(str((status.get("capacity") or {}).get("storage", asked))) or Decimal(0)
    if needed > room:
        remedy = "take a larger one, or `modelcar run`, which needs none"
        what = f"{name} has {size(float(room))}, the files take {size(needed)}"
        return Finding("pvc", "failed", what, remedy)
    if status.get("phase") == "Lost":
        return Finding("pvc", "failed", f"{name} has lost its volume", "delete it, and bootstrap")
    if status.get("phase") != "Bound":
        what = f"{name} is not bound yet; that may come with the first pod"
        return Finding("pvc", "warning", what, "read `oc describe pvc` if it stays so")
    return Finding("pvc", "ok", f"{name} is bound, with {size(float(room))}")


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
