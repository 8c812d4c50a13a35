"""The serving runtime that a model names: there, or made from the cluster's template."""

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any, Final

from modelcar.cluster import APPLICATIONS
from modelcar.errors import DeployError
from modelcar.serving.manifest import Manifest
from modelcar.serving.objects import Objects

log = logging.getLogger(__name__)

_ABSENT: Final = "it is not there, and no template of it may be read"
_MADE: Final = "modelcar-pipelines.io/made"
"""An annotation that names the object itself, so that a copy of it is not taken for ours."""


def ensure(objects: Objects, name: str) -> None:
    """Create the runtime from the cluster's template where the namespace has none.

    One that stands is never written. Raises DeployError where there is certainly none, and no
    template that may be read; what may not be looked up is left to KServe to miss.
    """
    if objects.runtime_status(name) != 404:
        return
    found = next(templates_of(objects, name), None)
    if found is not None:
        objects.create_runtime(from_template(*found, name, objects.namespace))
        log.info("%s: created from the template %s", name, _name(found[0]))
        return
    # Where KServe is not OpenShift AI's, a runtime may be the cluster's.
    status = objects.cluster_runtime_status(name)
    if status == 404:
        raise missing(objects.namespace, name)
    if status == 403:
        log.warning("%s: %s; a cluster's own may not be looked up", name, _ABSENT)


def from_template(template: Manifest, runtime: Manifest, name: str, namespace: str) -> Manifest:
    """Return the template's `runtime`, as the dashboard would create it in `namespace`.

    Raises DeployError for one that asks for the template's parameters.
    """
    title, text = _name(template), json.dumps(runtime)
    asked = [one.get("name", "") for one in template.get("parameters") or ()]
    if any(f"${{{parameter}}}" in text for parameter in asked):
        place = template["metadata"].get("namespace", APPLICATIONS[0])
        remedy = f"create it with `oc process -n {place} {title} | oc apply -n {namespace} -f -`"
        raise DeployError(f"creating {name}", f"the template {title} has parameters", remedy)
    shown = _annotations(template).get("openshift.io/display-name", "")
    annotations = {**_annotations(runtime), "opendatahub.io/template-name": title}
    annotations |= {"opendatahub.io/template-display-name": shown} if shown else {}
    labels = runtime["metadata"].get("labels") or {}
    metadata = {"name": name, "labels": labels, "annotations": annotations}
    annotations[_MADE] = f"{namespace}/{name}"
    return {**runtime, "metadata": metadata}


def remove_unused(objects: Objects) -> Iterator[str]:
    """Delete the runtimes of the namespace that `ensure` created and no service names; yield them.

    None is deleted while a service names none: KServe may have chosen it. What an account may not
    see or delete stays, and that is said.
    """
    made = [one for one in objects.runtimes() if _made_by_us(one, objects.namespace)]
    if not made:
        return
    services = [one for one in objects.services() if "deletionTimestamp" not in one["metadata"]]
    named = {_named(service) for service in services}
    for runtime in () if "" in named else made:
        name = _name(runtime)
        if name not in named and objects.delete_runtime(name, runtime["metadata"]["uid"]):
            log.info("%s: deleted, no service names it any more", name)
            yield name


def templates_of(objects: Objects, name: str) -> Iterator[tuple[Manifest, Manifest]]:
    """Yield the templates that may be read and have that runtime, with it."""
    for namespace in APPLICATIONS:
        for template in objects.templates(namespace):
            for one in template.get("objects") or ():
                if one.get("kind") == "ServingRuntime" and _name(one) == name:
                    yield template, one


def _made_by_us(runtime: Manifest, namespace: str) -> bool:
    return _annotations(runtime).get(_MADE) == f"{namespace}/{_name(runtime)}"


def _name(manifest: Manifest) -> str:
    return str((manifest.get("metadata") or {}).get("name", ""))


def _annotations(manifest: Manifest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = manifest["metadata"].get("annotations") or {}
    return found


def _named(service: Manifest) -> str:
    return str(service["spec"].get("predictor", {}).get("model", {}).get("runtime", ""))


def missing(namespace: str, name: str) -> DeployError:
    """Return the error about a runtime that is certainly nowhere."""
    made = f"oc process -n {APPLICATIONS[0]} {name}-template | oc apply -n {namespace} -f -"
    remedy = f"create it with `{made}`, or name another as serving.runtime"
    what = f"looking up the serving runtime {name} in {namespace}"
    return DeployError(what, _ABSENT, remedy)
