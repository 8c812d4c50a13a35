"""The serving runtime that a model names: there, or made from the cluster's template."""

import json
import logging
from typing import Any, Final

from modelcar.errors import DeployError
from modelcar.serving.manifest import Manifest
from modelcar.serving.objects import Objects

log = logging.getLogger(__name__)

_TEMPLATES: Final = ("redhat-ods-applications", "opendatahub")
"""Where OpenShift AI, and Open Data Hub, keep the templates of their runtimes."""
_ABSENT: Final = "it is not there, and no template of it may be read"
_KIND: Final = "ServingRuntime"
_MADE_BY: Final = {"app.kubernetes.io/managed-by": "modelcar-pipelines"}


def ensure(objects: Objects, name: str) -> None:
    """Create the runtime from the cluster's template where the namespace has none.

    One that stands is never written. Raises DeployError where there is certainly none, and no
    template that may be read; what may not be looked up is left to KServe to miss.
    """
    seen = objects.runtime_status(name)
    if 200 in seen or seen[0] == 403:
        return
    found = _find(objects, name)
    if found is not None:
        objects.create_runtime(from_template(found, name))
        log.info("%s: created from the template %s", name, found["metadata"]["name"])
    elif 403 not in seen:
        raise _missing(objects.namespace, name)
    else:
        log.warning("%s: %s; a cluster's own may not be looked up", name, _ABSENT)


def from_template(template: Manifest, name: str) -> Manifest:
    """Return the runtime of that name in a template, as the dashboard would create it.

    Raises DeployError for a template that asks for parameters.
    """
    runtime = next(one for one in _runtimes(template) if one["metadata"]["name"] == name)
    if "${" in json.dumps(runtime):
        title = template["metadata"]["name"]
        remedy = f"create the runtime with `oc process {title} | oc apply -f -`"
        raise DeployError(f"creating {name}", f"the template {title} has parameters", remedy)
    metadata, template_metadata = runtime["metadata"], template["metadata"]
    shown = template_metadata.get("annotations", {}).get("openshift.io/display-name", "")
    annotations = {"opendatahub.io/template-name": template_metadata["name"]}
    annotations |= {"opendatahub.io/template-display-name": shown} if shown else {}
    return {
        **runtime,
        "metadata": {
            "name": name,
            "labels": {**metadata.get("labels", {}), **_MADE_BY},
            "annotations": {**metadata.get("annotations", {}), **annotations},
        },
    }


def remove_unused(objects: Objects) -> None:
    """Delete the runtimes of the namespace that `ensure` created and no service names."""
    made = [one for one in objects.runtimes() if _MADE_BY.items() <= _labels(one).items()]
    if not made:
        return
    services = [one for one in objects.services() if "deletionTimestamp" not in one["metadata"]]
    named = {_named(service) for service in services}
    for runtime in made:
        name, uid = runtime["metadata"]["name"], runtime["metadata"]["uid"]
        if name not in named:
            objects.delete_runtime(name, uid)
            log.info("%s: deleted, no service names it any more", name)


def _find(objects: Objects, name: str) -> Manifest | None:
    """Return the first template that may be read and has that runtime, else None."""
    for namespace in _TEMPLATES:
        for template in objects.templates(namespace):
            if any(one["metadata"]["name"] == name for one in _runtimes(template)):
                return template
    return None


def _runtimes(template: Manifest) -> list[Manifest]:
    return [one for one in template.get("objects", ()) if one.get("kind") == _KIND]


def _labels(runtime: Manifest) -> dict[str, Any]:
    found: dict[str, Any] = runtime["metadata"].get("labels", {})
    return found


def _named(service: Manifest) -> str:
    return str(service["spec"].get("predictor", {}).get("model", {}).get("runtime", ""))


def _missing(namespace: str, name: str) -> DeployError:
    made = f"oc process -n {_TEMPLATES[0]} {name}-template | oc apply -n {namespace} -f -"
    remedy = f"create it with `{made}`, or name another as serving.runtime"
    what = f"looking up the serving runtime {name} in {namespace}"
    return DeployError(what, _ABSENT, remedy)
