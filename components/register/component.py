"""The pipeline's face of register."""

from typing import NamedTuple

from components._runtime import stage


@stage("model-registry", "urllib3")
def register(
    hf_repo: str,
    commit: str,
    model_name: str,
    model_version: str,
    description: str,
    reference: str,
    image_layers: str,
    image_bytes: str,
    mirror_destination: str,
    mirror_digest: str,
    model_registry_url: str,
    workdir: str,
) -> NamedTuple(  # type: ignore[valid-type]
    "Registered", [("registered_model_id", str), ("model_version_id", str)]
):
    """Compare the mirror's digest, then find or create the model version of the image."""
    from modelcar import outcome, parameters
    from modelcar.mirrored import mirrored
    from modelcar.model_registry import configured
    from modelcar.register import register as stage
    from modelcar.task import MODEL_REGISTRY, task
    from modelcar.values import ImageFacts

    image, copy = mirrored(reference, mirror_destination, mirror_digest, workdir)
    with task("register", workdir) as record:
        model = parameters.model(hf_repo, commit, model_name, model_version, description)
        connection = configured(model_registry_url, folder=MODEL_REGISTRY)
        if connection is None:
            record.skip("no model registry is named")
            return "", ""
        facts = ImageFacts(commit or None, int(image_layers), int(image_bytes))
        version = stage(connection, model, image, facts, mirror=copy)
        record.done(version, outcome.register(version))
    return version.registered_model_id, version.version_id
