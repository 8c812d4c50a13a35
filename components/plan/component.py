"""The pipeline's face of plan."""

from typing import NamedTuple

from components._runtime import stage


@stage("kubernetes", "urllib3")
def plan(
    hf_repo: str,
    revision: str,
    hf_endpoint: str,
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
    deploy_model: str,
    ignore_fit: str,
    skip_preflight: str,
    namespace: str,
    workdir: str,
) -> NamedTuple("Planned", [("commit", str), ("plan_sha256", str)]):  # type: ignore[valid-type]
    """Resolve the commit, choose the files, and refuse what cannot be packed, fit or be done."""
    from modelcar import fitting, outcome, parameters, serving_parameters
    from modelcar import plan as planning
    from modelcar.hub import Hub
    from modelcar.preflight import before
    from modelcar.preflight.finding import require
    from modelcar.task import root, task
    from modelcar.workfolder import WorkFolder

    with task("plan", workdir) as record, serving_parameters.spoken():
        resources = (gpu_count, cpu_request, memory_request, memory_limit, node_selector_label)
        engine = (tensor_parallel_size, max_model_len, vllm_args, serving_runtime)
        placing = (tolerations, hardware_profile, pull_secret)
        serving = serving_parameters.serving(*resources, *engine, *placing)
        model = parameters.model(hf_repo, revision, model_name, model_version, serving=serving)
        deploys = parameters.switch("deploy_model", deploy_model)
        required = deploys and not parameters.switch("ignore_fit", ignore_fit)
        work, hub = WorkFolder(root(workdir)), Hub(hf_endpoint)
        made = planning.make(model, work, hub)
        planning.warn(made)
        record.done(made, outcome.plan(made))
        fit = fitting.of_plan(model, made, hub)
        (fitting.require if required else fitting.say)(model, fit)
        if deploys and not parameters.switch("skip_preflight", skip_preflight):
            require(before.of_cluster(model, namespace))
    return (made.commit or "", str(work.save(made)))
