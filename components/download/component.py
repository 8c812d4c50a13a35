"""The pipeline's face of download."""

from typing import NamedTuple

from kfp import dsl

from components._runtime import stage


@stage("urllib3", leaves=True)
def download(
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
    workdir: str,
) -> NamedTuple("Downloaded", [("plan_sha256", str)]):  # type: ignore[valid-type]
    """Bring what the OCI registry lacks onto the PVC, verified; return the kept plan's sha256."""
    asked = dict(locals())
    from modelcar.tasks.download import Asked, make

    shown = asked.pop("figures").metadata
    plan_sha256, moved = make(Asked(**asked))
    shown.update(moved)
    return (plan_sha256,)
