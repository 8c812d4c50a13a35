"""Return a service to the image that served before, and take away a service that we made."""

import logging
from typing import TYPE_CHECKING, Any

from modelcar.cluster import asking
from modelcar.errors import DeployError
from modelcar.names import dns_name
from modelcar.oci.reference import parse_image
from modelcar.serving.deploy import deploy, made_by_us
from modelcar.serving.history import previous
from modelcar.serving.objects import Objects, find_service
from modelcar.values import Endpoint, ImageDigest, Model

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)


def rollback(api: "ApiClient", model: Model, namespace: str, **options: Any) -> Endpoint:
    """Deploy the image that served before, with the model's settings as they are now.

    `options` are those of `deploy`. Raises DeployError, also when none is recorded.
    """
    return deploy(api, model, _former(api, model, namespace), namespace, **options)


def deploy_or_go_back(
    api: "ApiClient", model: Model, image: ImageDigest, namespace: str, **options: Any
) -> Endpoint:
    """Deploy, and where that fails return to the image that served before; raise either way.

    The first error is raised, with a note of what became of the return.
    """
    try:
        return deploy(api, model, image, namespace, **options)
    except DeployError as error:
        error.add_note(_returned(api, model, namespace, options))
        raise


def undeploy(api: "ApiClient", model: str, namespace: str) -> bool:
    """Delete the model's service; return False when there is none.

    Raises DeployError for one that modelcar did not make.
    """
    name, what = dns_name(model), f"deleting {namespace}/{dns_name(model)}"
    with asking(what):
        objects = Objects(api, namespace)
        live = objects.service(name)
        if live is None:
            return False
        if not made_by_us(live):
            raise DeployError(what, "modelcar did not make it", "delete it with `oc delete`")
        objects.delete(name, live["metadata"]["uid"])
    return True


def _returned(api: "ApiClient", model: Model, namespace: str, options: dict[str, Any]) -> str:
    try:
        former = _former(api, model, namespace)
        log.warning("%s: it did not prove itself; returning to %s", model.name, former)
        # The ids in the Model Registry are those of the image that failed.
        endpoint = deploy(api, model, former, namespace, **{**options, "registered": None})
    except DeployError as second:
        return f"it stays as it is: {second}"
    return f"{endpoint.url} is back at {former}"


def _former(api: "ApiClient", model: Model, namespace: str) -> ImageDigest:
    name = dns_name(model.name)
    live = find_service(api, name, namespace)
    uri = previous(live) if live else ""
    if not uri:
        why = "no image is recorded that served before" if live else "there is no such service"
        remedy = "deploy an image by its digest; `modelcar versions` lists them"
        raise DeployError(f"rolling back {namespace}/{name}", why, remedy)
    return parse_image(uri.removeprefix("oci://")).image
