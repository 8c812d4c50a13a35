"""The verbs of the endpoint: deploy, diagnose, rollback, undeploy."""

import logging
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import click

from modelcar.cli_options import (
    Connect,
    common_options,
    image_option,
    model_name,
    model_registry_options,
    show,
    shown_view,
    site_file,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

    from modelcar.model_registry import Connection
    from modelcar.oci.reference import DigestReference
    from modelcar.serving.explain import Explanation
    from modelcar.values import ImageDigest, ImageFacts, Model

log = logging.getLogger(__name__)

_SECONDS = click.FloatRange(1, 7 * 24 * 3600)


@click.command()
@common_options
@click.argument("model")
@image_option
@click.option("-n", "--namespace", default="", help="Where to; else the current one.")
@click.option("--dry-run", is_flag=True, help="Print the manifest and apply nothing.")
@click.option("--adopt", is_flag=True, help="Take over an InferenceService that another made.")
@click.option("--timeout", type=_SECONDS, help="Seconds to wait; else an hour and the pull.")
@click.option("--ignore-fit", is_flag=True, help="Deploy even what does not fit on the GPUs.")
@click.option("--no-smoke", is_flag=True, help="Do not ask the endpoint for an answer.")
@click.option("--pre-pull", is_flag=True, help="Bring the image onto the nodes first.")
@model_registry_options
@click.option(
    "--rollback-on-failure", is_flag=True, help="Return to what served before when this fails."
)
def deploy(
    model: str,
    image: str,
    namespace: str,
    dry_run: bool,
    adopt: bool,
    timeout: float | None,
    ignore_fit: bool,
    no_smoke: bool,
    pre_pull: bool,
    rollback_on_failure: bool,
    connect: Connect,
    as_json: bool,
) -> None:
    """Serve the image as MODEL's InferenceService, wait until it answers, and print its URL.

    First it is compared with the GPUs: those of the nodes that the node selector matches, where
    nodes may be read, else those of the AWS instance type that it names. With `--pre-pull` these
    nodes have the image before what serves is stopped. Where a Model Registry is named and has
    this image as MODEL's version, the service is linked to it, and its answer is recorded there.
    """
    from modelcar import catalog, cluster
    from modelcar.model_registry.versions import ids_of
    from modelcar.oci.reference import parse_image
    from modelcar.serving import deploy as stage
    from modelcar.serving.explain import serves
    from modelcar.serving.go_back import deploy_or_go_back
    from modelcar.serving.manifest import to_yaml
    from modelcar.serving.pre_pull import pre_pull as pull_first
    from modelcar.values import to_json
    from modelcar.view import Recorder

    found, reference = catalog.find(model), parse_image(image)
    if dry_run:
        manifest = stage.render(found, reference.image, namespace)
        show(to_yaml(manifest).rstrip(), manifest, as_json)
        return
    view = shown_view("deploy")
    with view, Recorder(view).stage("deploy"):
        api, facts = cluster.connect(), _facts(reference)
        where = cluster.namespace(namespace)
        if facts is not None and not ignore_fit:
            _fit(api, found, facts, serves(api, found.name, where, reference.image))
        size = facts.size if facts else 0
        wait = stage.patience(size, timeout)
        pulling = partial(pull_first, api, found, reference.image, where, timeout=wait)
        connection = connect(site_file())
        registered = ids_of(connection, found, reference.image) if connection else None
        endpoint = (deploy_or_go_back if rollback_on_failure else stage.deploy)(
            api,
            found,
            reference.image,
            where,
            registered=registered,
            image_bytes=size,
            adopt=adopt,
            timeout=timeout,
            smoke=not no_smoke,
            before=pulling if pre_pull else None,
        )
    if connection and registered and not no_smoke and stage.can_be_asked(endpoint.url):
        _record(connection, found, reference.image, endpoint.url)
    show(endpoint.url, to_json(endpoint), as_json)


@click.command()
@common_options
@click.argument("model")
@click.option("-n", "--namespace", default="", help="Where it is; else the current one.")
def diagnose(model: str, namespace: str, as_json: bool) -> None:
    """Say whether MODEL's InferenceService is ready, and if not, why and what to do."""
    from modelcar import cluster
    from modelcar.serving.explain import explain
    from modelcar.values import to_json

    found = explain(cluster.connect(), model_name(model), cluster.namespace(namespace))
    show("\n".join(_explained(found)), to_json(found), as_json)


@click.command()
@common_options
@click.argument("model")
@click.option("-n", "--namespace", default="", help="Where it is; else the current one.")
@click.option("--timeout", type=_SECONDS, help="Seconds to wait; else an hour.")
@click.option("--no-smoke", is_flag=True, help="Do not ask the endpoint for an answer.")
def rollback(
    model: str, namespace: str, timeout: float | None, no_smoke: bool, as_json: bool
) -> None:
    """Return MODEL's endpoint to the image that served before, and print its URL."""
    from modelcar import catalog, cluster
    from modelcar.serving import go_back
    from modelcar.values import to_json
    from modelcar.view import Recorder

    where, found = cluster.namespace(namespace), catalog.find(model)
    options = {"timeout": timeout, "smoke": not no_smoke}
    view = shown_view("rollback")
    with view, Recorder(view).stage("rollback"):
        endpoint = go_back.rollback(cluster.connect(), found, where, **options)
    show(endpoint.url, to_json(endpoint), as_json)


@click.command()
@common_options
@click.argument("model")
@click.option("-n", "--namespace", default="", help="Where it is; else the current one.")
def undeploy(model: str, namespace: str, as_json: bool) -> None:
    """Delete MODEL's InferenceService, if modelcar made it."""
    from modelcar import cluster
    from modelcar.serving import go_back

    name, where = model_name(model), cluster.namespace(namespace)
    deleted = go_back.undeploy(cluster.connect(), name, where)
    value = {"name": name, "namespace": where, "deleted": deleted}
    show(f"{where}/{name} {'is deleted' if deleted else 'is not there'}", value, as_json)


def _explained(found: "Explanation") -> Iterator[str]:
    title = f"{found.namespace}/{found.name}"
    if found.ready:
        yield f"{title} is ready, and serves {found.image}"
        return
    yield f"{title} is not ready: {found.says or 'no condition says why'}"
    for number, cause in enumerate(found.causes, start=1):
        yield f"{number}. {cause.cause}"
        yield f"   {cause.remedy}"
        yield from (f"   | {quoted}" for quoted in cause.evidence)
    if not found.causes:
        yield "nothing that is known hinders it; it may still be starting"


def _record(connection: "Connection", model: "Model", image: "ImageDigest", url: str) -> None:
    """Record the answer; what is deployed stays so where that fails."""
    from modelcar.errors import ModelRegistryError
    from modelcar.model_registry import register
    from modelcar.register import answered

    try:
        register(connection, model, image, answered(image, url))
    except ModelRegistryError as error:
        log.warning("the answer is not recorded: %s", error)


def _facts(reference: "DigestReference") -> "ImageFacts | None":
    """Read the image's manifest; an OCI registry that only the cluster reaches hides it here."""
    from modelcar.errors import ImageError
    from modelcar.oci.inspect import inspect

    try:
        return inspect(reference)
    except ImageError as error:
        log.warning("the fit is not checked: %s", error)
        return None


def _fit(api: "ApiClient", model: "Model", facts: "ImageFacts", serving: bool) -> None:
    """Compare the image with the GPUs; of one that is `serving` it is only said."""
    from modelcar import fitting
    from modelcar.hub import Hub
    from modelcar.image_fit import of_image
    from modelcar.serving.gpu_kinds import kinds
    from modelcar.serving.nodes import takes
    from modelcar.serving.objects import matching_nodes

    listed = matching_nodes(api, model.serving.node_selector) if model.serving.gpus else ()
    nodes = kinds([node for node in listed if takes(node, model.serving)])
    found = of_image(model, facts, Hub(), nodes)
    if serving and found.verdict == "does not fit":
        fitting.say(model, found)
    else:
        fitting.require(model, found)
