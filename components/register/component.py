"""The pipeline's face of register, before the image is deployed and after it answered."""

from typing import NamedTuple

from components._runtime import stage


@stage("model-registry", "urllib3")
def register(
    hf_repo: str,
    commit: str,
    model_name: str,
    model_version: str,
    description: str,
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
    endpoint: str = "",
) -> NamedTuple(  # type: ignore[valid-type]
    "Registered", [("registered_model_id", str), ("model_version_id", str)]
):
    """Find or create the model version of the image; with an endpoint, record that it answered.

    The first time it also compares the mirror's digest.
    """
    from modelcar.mirrored import mirrored
    from modelcar.registration import Asked, verify
    from modelcar.registration import register as stage

    asked = Asked(
        hf_repo,
        commit,
        model_name,
        model_version,
        description,
        plan_sha256,
        reference,
        image_facts,
        model_registry_url,
        move_version,
        follow,
        run_name,
        workdir,
    )
    if endpoint:
        return verify(asked, endpoint)
    return stage(asked, mirrored(reference, mirror_destination, mirror_digest, workdir))
