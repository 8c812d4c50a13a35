"""The pipeline's face of verify."""

from components._runtime import stage


@stage("model-registry", "urllib3", finds=True)
def verify(
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
    model_registry_url: str,
    move_version: str,
    follow: str,
    run_name: str,
    workdir: str,
    endpoint: str,
) -> None:
    """Record in the Model Registry that the image answered at its endpoint."""
    asked = dict(locals())
    from modelcar.tasks.register import Asked, make

    make(Asked(**asked))
