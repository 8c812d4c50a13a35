"""The pipeline's face of download and build in one: the bytes stream, and no file is kept."""

from typing import NamedTuple

from kfp import dsl

from components._runtime import stage


@stage("urllib3", leaves=True)
def transfer(
    figures: dsl.Output[dsl.Metrics],
    hf_repo: str,
    model_name: str,
    model_version: str,
    include: str,
    exclude: str,
    allow_pickle: str,
    registry: str,
    namespace: str,
    mirror_to: str,
    revision: str,
    commit: str,
    choice: str,
    planned: str,
    hf_endpoint: str,
    skip_preflight: str,
    base_image: str,
    workdir: str,
) -> NamedTuple(  # type: ignore[valid-type]
    "Transferred",
    [
        ("plan_sha256", str),
        ("reference", str),
        ("image_facts", str),
        ("image_bytes", str),
        ("mirror_source", str),
        ("mirror_destination", str),
        ("source_tls_verify", str),
        ("destination_tls_verify", str),
    ],
):
    """Stream what the OCI registry lacks from the Hub into the image; say where it stands."""
    asked = dict(locals())
    from modelcar.tasks.transfer import Asked, make

    shown = asked.pop("figures").metadata
    built, moved = make(Asked(**asked))
    shown.update(moved)
    return built
