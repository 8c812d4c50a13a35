"""The pipeline's face of register."""

from typing import NamedTuple

from kfp import dsl

from components._runtime import stage


@stage("model-registry", "urllib3", finds=True)
def register(
    model: dsl.Output[dsl.Model],
    hf_repo: str,
    model_name: str,
    model_version: str,
    include: str,
    exclude: str,
    allow_pickle: str,
    commit: str,
    model_description: str,
    plan_sha256: str,
    reference: str,
    image_facts: str,
    mirror_destination: str,
    mirror_digest: str,
    model_registry_url: str,
    move_version: str,
    follow: str,
    run_name: str,
    workdir: str,
) -> NamedTuple(  # type: ignore[valid-type]
    "Registered", [("registered_model_id", str), ("model_version_id", str)]
):
    """Compare the mirror's digest, and find or create the model version of the image."""
    asked = dict(locals())
    from modelcar.tasks.register import Asked, make

    shown = asked.pop("model")
    registered = make(Asked(**asked))
    shown.uri = registered.uri or shown.uri
    shown.metadata.update(registered.link)
    return registered.ids
