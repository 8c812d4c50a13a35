"""The pipeline's face of plan."""

from typing import NamedTuple

from kfp import dsl

from components._runtime import stage


@stage("kubernetes", "urllib3")
def plan(
    summary: dsl.Output[dsl.Markdown],
    hf_repo: str,
    model_name: str,
    model_version: str,
    include: str,
    exclude: str,
    allow_pickle: str,
    gpu_count: str,
    cpu_request: str,
    memory_request: str,
    memory_limit: str,
    node_selector_label: str,
    tensor_parallel_size: str,
    max_model_len: str,
    vllm_args: str,
    serving_runtime: str,
    tolerations: str,
    hardware_profile: str,
    pull_secret: str,
    route: str,
    auth: str,
    revision: str,
    hf_endpoint: str,
    deploy_model: str,
    ignore_fit: str,
    skip_preflight: str,
    namespace: str,
    pvc_name: str,
    keeps_files: str,
) -> NamedTuple(  # type: ignore[valid-type]
    "Planned", [("commit", str), ("choice", str), ("planned", str)]
):
    """Resolve the commit, choose the files, refuse what cannot be done, and take the lease."""
    asked = dict(locals())
    from pathlib import Path

    from modelcar.tasks.plan import Asked, make

    page = Path(asked.pop("summary").path)
    return make(Asked(**asked), page)
