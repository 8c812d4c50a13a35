"""The pipeline: from a Hugging Face model to a served endpoint, with one digest."""

from kfp import dsl

from components._chosen import chosen
from pipelines._graph import graph
from pipelines._settings import MOUNT


@dsl.pipeline(name="modelcar")
def modelcar(
    hf_repo: str = "RedHatAI/Mistral-Small-24B-Instruct-2501-quantized.w4a16",
    revision: str = "main",
    model_name: str = "mistral-24b-quantized",
    model_version: str = "1.0",
    model_description: str = "",
    include: str = "",
    exclude: str = "",
    allow_pickle: str = "false",
    registry: str = "",
    mirror_to: str = "",
    model_registry_url: str = "",
    move_version: str = "false",
    follow: str = "false",
    gpu_count: str = "1",
    cpu_request: str = "4",
    memory_request: str = "32Gi",
    memory_limit: str = "",
    node_selector_label: str = "",
    tensor_parallel_size: str = "",
    max_model_len: str = "",
    vllm_args: str = "",
    serving_runtime: str = "vllm-cuda-runtime",
    tolerations: str = "",
    hardware_profile: str = "",
    pull_secret: str = "",
    route: str = "true",
    auth: str = "true",
    ignore_fit: str = "false",
    skip_preflight: str = "false",
    deploy_model: str = "true",
    namespace: str = "",
    base_image: str = chosen().base,
    hf_endpoint: str = "https://huggingface.co",
    pvc_name: str = "modelcar",
    workdir: str = f"{MOUNT}/modelcar",
) -> None:
    """Bring a model from Hugging Face to a vLLM endpoint, as one image with one digest.

    Args:
        hf_repo: The model on the Hub, org/name.
        revision: Branch, tag or commit; a commit makes every run the same.
        model_name: Its name in both registries, and of the InferenceService.
        model_version: The version to register. One version is one digest.
        model_description: A description for the Model Registry.
        include: Files to take too, patterns separated by spaces.
        exclude: Files to leave out, patterns separated by spaces.
        allow_pickle: true takes pickle weights where there are none other.
        registry: Where the image goes, host/namespace. Empty: the internal OCI registry.
        mirror_to: Where it is copied to, host/namespace. Empty: no mirror.
        model_registry_url: The Model Registry. Empty: the secret model-registry-config, or none.
        move_version: true moves the version when it points at another digest.
        follow: true registers VERSION-COMMIT7, for a branch that moves.
        gpu_count: GPUs of the InferenceService.
        cpu_request: Its CPU, a Kubernetes quantity.
        memory_request: Its memory, a Kubernetes quantity.
        memory_limit: Its memory limit. Empty: the request.
        node_selector_label: Nodes it may run on: key=value, more with commas.
        tensor_parallel_size: GPUs that share one model. Empty: all.
        max_model_len: Longest context in tokens. Empty: vLLM decides.
        vllm_args: More arguments for vLLM, separated by spaces.
        serving_runtime: The ServingRuntime in the namespace, or in a template of the cluster.
        tolerations: Taints tolerated besides GPUs': key=value:NoSchedule or key, more with commas.
        hardware_profile: A hardware profile, name or namespace/name.
        pull_secret: The secret with which its nodes pull. Empty: what the service account has.
        route: true gives it a Route, false an address inside the cluster alone.
        auth: true lets only those in who show a token.
        ignore_fit: true goes on where the model does not fit on the GPUs.
        skip_preflight: true checks neither rights nor what must be there before the run.
        deploy_model: true deploys; false writes the manifest to the work folder.
        namespace: Where to deploy. Empty: the pipeline's own.
        base_image: What the image stands on, by digest.
        hf_endpoint: The Hub's address.
        pvc_name: The volume claim that the run works on.
        workdir: The folder on it.

    """
    graph(dict(locals()), overlapped=False)
