"""The pipeline's face of deploy."""

from typing import NamedTuple

from kfp import dsl

from components._runtime import stage


@stage("kubernetes", "urllib3", finds=True)
def deploy(
    figures: dsl.Output[dsl.Metrics],
    hf_repo: str,
    model_name: str,
    model_version: str,
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
    commit: str,
    reference: str,
    image_bytes: str,
    registered_model_id: str,
    model_version_id: str,
    namespace: str,
    deploy_model: str,
    workdir: str,
) -> NamedTuple("Deployed", [("endpoint", str)]):  # type: ignore[valid-type]
    """Serve the image and wait until it answers, or write its manifest; return URL or path."""
    asked = dict(locals())
    from modelcar.tasks.deploy import Asked, make

    shown = asked.pop("figures").metadata
    endpoint, told = make(Asked(**asked))
    shown.update(told)
    return (endpoint,)
