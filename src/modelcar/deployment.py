"""Deploy an image, or write the manifest that would be applied; recorded either way."""

from pathlib import Path

from modelcar import atomic, cluster
from modelcar.names import dns_name
from modelcar.records import Handle
from modelcar.serving.deploy import deploy, render
from modelcar.serving.manifest import to_yaml
from modelcar.values import Endpoint, ImageDigest, Model, ModelVersion

MANIFEST = "inferenceservice.yaml"


def deploy_or_render(
    record: Handle,
    model: Model,
    image: ImageDigest,
    namespace: str,
    ids: tuple[str, str],
    folder: Path | None,
    image_bytes: int = 0,
) -> str:
    """Return the endpoint's URL once it answers; with `folder`, the manifest's path there.

    `ids` are those of registered model and version, empty for a model that is not registered;
    `image_bytes` lengthens the wait. Raises DeployError.
    """
    registered = ModelVersion(model.name, model.version, "", *ids, "") if ids[0] else None
    if folder is not None:
        path = folder / MANIFEST
        atomic.write(path, to_yaml(render(model, image, namespace, registered=registered)))
        record.render(str(path), {"path": str(path)})
        return str(path)
    where = cluster.namespace(namespace)
    record.done({"name": dns_name(model.name), "namespace": where})  # also where it fails
    endpoint = deploy(
        cluster.connect(),
        model,
        image,
        where,
        registered=registered,
        image_bytes=image_bytes,
    )
    record.done(endpoint, told(endpoint))
    return endpoint.url


def told(endpoint: Endpoint) -> str:
    """Say in one line where a model answers, and how fast it did."""
    said = endpoint.url
    if endpoint.first_token:
        said += f", first token after {endpoint.first_token:.2f}s"
    if endpoint.tokens_per_second:
        said += f", then {endpoint.tokens_per_second:g} tokens/s"
    return said
