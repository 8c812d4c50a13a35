"""The pipeline's face of deploy."""

from components._runtime import stage


@stage("kubernetes", "urllib3")
def deploy(
    hf_repo: str,
    commit: str,
    model_name: str,
    model_version: str,
    reference: str,
    image_bytes: str,
    registered_model_id: str,
    model_version_id: str,
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
    namespace: str,
    apply: str,
    workdir: str,
) -> str:
    """Serve the image and wait until it answers, or write its manifest; return URL or path."""
    from modelcar import parameters, serving_parameters
    from modelcar.deployment import deploy_or_render
    from modelcar.oci.reference import parse_image
    from modelcar.task import root, task

    with task("deploy", workdir) as record, serving_parameters.spoken():
        resources = (gpu_count, cpu_request, memory_request, memory_limit, node_selector_label)
        engine = (tensor_parallel_size, max_model_len, vllm_args, serving_runtime)
        placing = (tolerations, hardware_profile, pull_secret)
        serving = serving_parameters.serving(*resources, *engine, *placing)
        model = parameters.model(hf_repo, commit, model_name, model_version, serving=serving)
        ids, image = (registered_model_id, model_version_id), parse_image(reference).image
        asked = parameters.switch("deploy_model", apply)
        folder = None if asked else root(workdir)
        where = (namespace, ids, folder, int(image_bytes))
        return deploy_or_render(record, model, image, *where)
