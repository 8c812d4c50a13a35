"""The serving runtime that models name: made from the cluster's template where there is none."""

from typing import TYPE_CHECKING, Final

from modelcar.bootstrap.applying import Outcome
from modelcar.bootstrap.objects import Manifest
from modelcar.cluster import asking, request
from modelcar.errors import DeployError
from modelcar.serving import runtime
from modelcar.serving.objects import FIELD_MANAGER, Objects
from modelcar.values import Serving

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_RULE: Final = '{apiGroups: ["serving.kserve.io"], resources: ["servingruntimes"], verbs: ["get"]}'


class _DryRun(Objects):
    """Has the API server say whether it would create a runtime, and create none."""

    def create_runtime(self, runtime: Manifest) -> None:
        path = f"/apis/{runtime['apiVersion']}/namespaces/{self.namespace}/servingruntimes"
        query = [("fieldManager", FIELD_MANAGER), ("dryRun", "All")]
        request(self.api, "POST", path, query, runtime)


def made(api: "ApiClient", namespace: str, dry_run: bool) -> Outcome:
    """Create the runtime from its template, unless it stands; raise what the library raises."""
    name = Serving().runtime
    where = ("ServingRuntime", name, namespace)
    there = _DryRun(api, namespace) if dry_run else Objects(api, namespace)
    code = there.runtime_status(name)
    if code == 200:
        return Outcome(*where, "unchanged")
    if code == 403:
        why = f"it may not be looked up; add this rule to a Role of this account: {_RULE}"
        return Outcome(*where, "refused", why)
    try:
        with asking(f"creating {name}"):
            return _created(there, name)
    except DeployError as error:
        return Outcome(*where, "refused", f"{error.why}; {error.remedy}")


def _created(there: Objects, name: str) -> Outcome:
    where = ("ServingRuntime", name, there.namespace)
    chosen = next(runtime.templates_of(there, name), None)
    runtime.ensure(there, name)  # raises where there is certainly neither template nor runtime
    if chosen is not None:
        title = chosen[0]["metadata"]["name"]
        return Outcome(*where, "created", f"from the template {title}")
    if there.cluster_runtime_status(name) == 200:
        return Outcome(*where, "unchanged", "the cluster has one of its own for all namespaces")
    return Outcome(*where, "absent", "neither a template nor a runtime of the cluster is seen")
