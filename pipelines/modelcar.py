"""The pipeline: from a Hugging Face model to a served endpoint, with one digest."""

from typing import Any, Final

from kfp import dsl, kubernetes

from components._chosen import chosen
from components._sharing import share_executors
from components.build.component import build
from components.deploy.component import deploy
from components.download.component import download
from components.mirror.component import mirror
from components.plan.component import plan
from components.register.component import register
from components.report.component import report

MOUNT: Final = "/mnt/models"
HUB_TOKEN: Final = "/etc/modelcar/huggingface-token"  # noqa: S105  a folder, not a token
REGISTRY_AUTH: Final = "/etc/modelcar/registry-auth"
MODEL_REGISTRY: Final = "/etc/modelcar/model-registry"
TRUSTED: Final = "/etc/modelcar/trusted-ca"
# OpenShift AI puts the cluster's and its own trusted CAs into each of its namespaces.
TRUSTED_CONFIG_MAP: Final = "odh-trusted-ca-bundle"
SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"


def _task(task: Any) -> Any:
    """Give a task what all have: no caching, since each has side effects, and retries."""
    task.set_caching_options(False)
    task.set_retry(num_retries=2, backoff_duration="30s", backoff_factor=2.0)
    # The run's id, by which records of one run are found again.
    kubernetes.use_field_path_as_env(task, "MODELCAR_RUN_ID", "metadata.labels['pipeline/runid']")
    for name, value in chosen().variables.items():
        task.set_env_variable(name, value)
    return task


def _mount(task: Any, pvc_name: Any) -> None:
    kubernetes.mount_pvc(task, pvc_name=pvc_name, mount_path=MOUNT)


def _secret(task: Any, name: str, folder: str) -> None:
    """Mount a secret as files, an optional one; none is ever a parameter or a variable."""
    kubernetes.use_secret_as_volume(task, name, mount_path=folder, optional=True)


def _hub_token(task: Any) -> None:
    _secret(task, "huggingface-token", HUB_TOKEN)
    task.set_env_variable("HF_TOKEN_PATH", f"{HUB_TOKEN}/token")


def _registry_auth(task: Any) -> None:
    _secret(task, "registry-auth", REGISTRY_AUTH)
    task.set_env_variable("REGISTRY_AUTH_FILE", f"{REGISTRY_AUTH}/.dockerconfigjson")


def _trusted(task: Any) -> None:
    """Mount the CAs that the cluster's administrators trust, where there are any."""
    mounted = {"mount_path": TRUSTED, "optional": True}
    kubernetes.use_config_map_as_volume(task, TRUSTED_CONFIG_MAP, **mounted)
    task.set_env_variable("MODELCAR_CA_BUNDLE", TRUSTED)


@dsl.pipeline(name="modelcar")
def modelcar(
    hf_repo: str = "RedHatAI/Mistral-Small-24B-Instruct-2501-quantized.w4a16",
    revision: str = "main",
    model_name: str = "mistral-24b-quantized",
    model_version: str = "1.0",
    model_description: str = "",
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
        model_name: Its name in the registries and of the inference service.
        model_version: The version to register. One version is one digest.
        model_description: A description for the Model Registry.
        registry: Where the image goes, host/namespace. Empty: the cluster's internal registry.
        mirror_to: Where it is copied to, host/namespace. Empty: no mirror.
        model_registry_url: The Model Registry. Empty: the secret model-registry-config, or none.
        move_version: true moves the version when it points at another digest.
        follow: true registers VERSION-COMMIT7, for a branch that moves.
        gpu_count: GPUs of the inference service.
        cpu_request: Its CPU, a Kubernetes quantity.
        memory_request: Its memory, a Kubernetes quantity.
        memory_limit: Its memory limit. Empty: the request.
        node_selector_label: Nodes it may run on, key=value.
        tensor_parallel_size: GPUs that share one model. Empty: all.
        max_model_len: Longest context in tokens. Empty: vLLM decides.
        vllm_args: More arguments for vLLM, separated by spaces.
        serving_runtime: The ServingRuntime in the namespace, or in a template of the cluster.
        tolerations: Taints that it tolerates besides GPUs', key=value:NoSchedule,key.
        hardware_profile: A hardware profile, name or namespace/name.
        pull_secret: The secret with which its nodes pull. Empty: what the service account has.
        ignore_fit: true goes on where the model does not fit on the GPUs.
        skip_preflight: true checks neither rights nor what must be there before the run.
        deploy_model: true deploys; false writes the manifest to the work folder.
        namespace: Where to deploy. Empty: the pipeline's own.
        base_image: What the image stands on, by digest.
        hf_endpoint: The Hub's address.
        pvc_name: The PVC that the run works on.
        workdir: The folder on it.

    """
    closing = _task(report(model_name=model_name, model_version=model_version, workdir=workdir))
    _mount(closing, pvc_name)
    with dsl.ExitHandler(closing, name="modelcar-run"):
        source: dict[str, Any] = {"hf_repo": hf_repo, "model_name": model_name}
        source["model_version"] = model_version
        serving: dict[str, Any] = {
            "gpu_count": gpu_count,
            "cpu_request": cpu_request,
            "memory_request": memory_request,
            "memory_limit": memory_limit,
            "node_selector_label": node_selector_label,
            "tensor_parallel_size": tensor_parallel_size,
            "max_model_len": max_model_len,
            "vllm_args": vllm_args,
            "serving_runtime": serving_runtime,
            "tolerations": tolerations,
            "hardware_profile": hardware_profile,
            "pull_secret": pull_secret,
        }
        target: dict[str, Any] = {"registry": registry, "namespace": namespace, "workdir": workdir}
        planned = _task(
            plan(
                **source,
                **serving,
                revision=revision,
                hf_endpoint=hf_endpoint,
                deploy_model=deploy_model,
                ignore_fit=ignore_fit,
                skip_preflight=skip_preflight,
                namespace=namespace,
                workdir=workdir,
            )
        )
        source["commit"] = planned.outputs["commit"]
        fetched = _task(
            download(
                **source,
                **target,
                plan_sha256=planned.outputs["plan_sha256"],
                mirror_to=mirror_to,
                hf_endpoint=hf_endpoint,
                skip_preflight=skip_preflight,
            )
        )
        built = _task(
            build(
                **source,
                **target,
                plan_sha256=fetched.output,
                mirror_to=mirror_to,
                base_image=base_image,
            )
        )
        mirrored = _task(
            mirror(
                source=built.outputs["mirror_source"],
                destination=built.outputs["mirror_destination"],
                source_tls_verify=built.outputs["source_tls_verify"],
                destination_tls_verify=built.outputs["destination_tls_verify"],
            )
        )
        registering: dict[str, Any] = {
            **source,
            "description": model_description,
            "plan_sha256": fetched.output,
            "reference": built.outputs["reference"],
            "image_facts": built.outputs["image_facts"],
            "mirror_destination": built.outputs["mirror_destination"],
            "mirror_digest": mirrored.outputs["digest"],
            "model_registry_url": model_registry_url,
            "move_version": move_version,
            "follow": follow,
            "run_name": dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            "workdir": workdir,
        }
        registered = _task(register(**registering))
        deployed = _task(
            deploy(
                **source,
                reference=built.outputs["reference"],
                image_bytes=built.outputs["image_bytes"],
                registered_model_id=registered.outputs["registered_model_id"],
                model_version_id=registered.outputs["model_version_id"],
                **serving,
                namespace=namespace,
                apply=deploy_model,
                workdir=workdir,
            )
        )
        verified = _task(register(**registering, endpoint=deployed.output))
        verified.set_display_name("verify")
        for task in (planned, fetched, built, registered, deployed, verified):
            _mount(task, pvc_name)
            _trusted(task)
        _trusted(mirrored)
        # skopeo reads them all, besides the system's file. In the service account's folder is the
        # CA of the internal OCI registry; the last two are where it would look by itself.
        folders = (TRUSTED, SERVICE_ACCOUNT, "/etc/ssl/certs", "/etc/pki/tls/certs")
        mirrored.set_env_variable("SSL_CERT_DIR", ":".join(folders))
        for task in (planned, fetched):
            _hub_token(task)
        for task in (fetched, built, mirrored):
            _registry_auth(task)
        for task in (registered, verified):
            _secret(task, "model-registry-config", MODEL_REGISTRY)


share_executors(modelcar)
