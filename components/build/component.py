"""The pipeline's face of build."""

from typing import NamedTuple

from kfp import dsl

from components._runtime import stage


@stage("urllib3", finds=True)
def build(
    figures: dsl.Output[dsl.Metrics],
    hf_repo: str,
    model_name: str,
    model_version: str,
    registry: str,
    namespace: str,
    mirror_to: str,
    commit: str,
    plan_sha256: str,
    base_image: str,
    workdir: str,
) -> NamedTuple(  # type: ignore[valid-type]
    "Built",
    [
        ("reference", str),
        ("image_facts", str),
        ("image_bytes", str),
        ("mirror_source", str),
        ("mirror_destination", str),
        ("source_tls_verify", str),
        ("destination_tls_verify", str),
    ],
):
    """Push the image, and say by digest where it stands and where it is to be mirrored."""
    asked = dict(locals())
    from modelcar.tasks.build import Asked, make

    shown = asked.pop("figures").metadata
    built, moved = make(Asked(**asked))
    shown.update(moved)
    return built
