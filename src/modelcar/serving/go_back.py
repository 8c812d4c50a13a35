"""Return a service to the image that served before, and take away a service that we made."""

import logging
from typing import TYPE_CHECKING, Any

from modelcar.cluster import asking
from modelcar.errors import DeployError, ReferenceError_
from modelcar.names import dns_name
from modelcar.oci.reference import parse_image
from modelcar.serving import runtime
from modelcar.serving.apply import made_by_us
from modelcar.serving.deploy import deploy
from modelcar.serving.history import image_of, previous
from modelcar.serving.manifest import Manifest
from modelcar.serving.objects import Objects, find_service
from modelcar.values import Endpoint, ImageDigest, Model, ModelVersion

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)


def rollback(api: "ApiClient", model: Model, namespace: str, **options: Any) -> Endpoint:
    """Deploy the image that served before, with the model's settings as they are now.

    `options` are those of `deploy`. Raises DeployError, also when none is recorded.
    """
    what, live = f"rolling back {namespace}/{dns_name(model.name)}", _live(api, model, namespace)
    if live is None:
        raise DeployError(what, "there is no such InferenceService", "deploy it, or check the name")
    image, ids = _former(what, model, live)
    return deploy(api, model, image, namespace, registered=ids, **options)


def deploy_or_go_back(
    api: "ApiClient", model: Model, image: ImageDigest, namespace: str, **options: Any
) -> Endpoint:
    """Deploy, and where the new image fails return to the one that served; raise either way.

    The first error is raised, with a note of what became of the return.
    """
    before = _live(api, model, namespace)
    try:
        return deploy(api, model, image, namespace, **options)
    except DeployError as error:
        error.add_note(_returned(api, model, namespace, before, options))
        raise


def undeploy(api: "ApiClient", model: str, namespace: str) -> bool:
    """Delete the model's service, and the runtimes that are left unused; return False for none.

    Only what modelcar made is deleted: another's service raises DeployError.
    """
    name, what = dns_name(model), f"deleting {namespace}/{dns_name(model)}"
    with asking(what):
        objects = Objects(api, namespace)
        live = objects.service(name)
        if live is not None and not made_by_us(live):
            raise DeployError(what, "modelcar did not make it", "delete it with `oc delete`")
        if live is not None:
            objects.delete(name, live["metadata"]["uid"])
        tuple(runtime.remove_unused(objects))
    return live is not None


def _returned(
    api: "ApiClient",
    model: Model,
    namespace: str,
    before: Manifest | None,
    options: dict[str, Any],
) -> str:
    """Return to what stood `before`, if that served, and say what became of it."""
    what = f"returning to what served before {dns_name(model.name)}"
    try:
        live = _live(api, model, namespace)
        if reason := _nothing_to_return_to(before, live):
            return f"it stays as it is: {reason}"
        former, ids = _former(what, model, live or {})
        log.warning("%s: it did not prove itself; returning to %s", model.name, former)
        again = {**options, "registered": ids, "proven": False, "before": None}
        endpoint = deploy(api, model, former, namespace, **again)
    except DeployError as second:
        return f"it stays as it is: {second}"
    return f"{endpoint.url} is back at {former}"


def _nothing_to_return_to(before: Manifest | None, live: Manifest | None) -> str:
    if before is None or live is None:
        return "nothing stood there before"
    if before["metadata"]["generation"] == live["metadata"]["generation"]:
        return "nothing was changed"
    if image_of(before) == image_of(live):
        return "its image is the same, and only its settings were changed"
    return "" if previous(live)[0] == image_of(before) else "what stood there did not serve"


def _live(api: "ApiClient", model: Model, namespace: str) -> Manifest | None:
    return find_service(api, dns_name(model.name), namespace)


def _former(what: str, model: Model, live: Manifest) -> tuple[ImageDigest, ModelVersion | None]:
    uri, ids = previous(live)
    if not uri:
        remedy = "deploy an image by its digest; `modelcar versions` lists them"
        raise DeployError(what, "no image is recorded that served before", remedy)
    try:
        image = parse_image(uri.removeprefix("oci://")).image
    except ReferenceError_ as error:
        raise DeployError(what, f"{uri!r} is no image", "deploy one by its digest") from error
    return image, ModelVersion(model.name, "", uri, *ids, "") if all(ids) else None
