"""What each task has of the cluster: resources, volume, secrets, trusted CAs, retries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kfp import kubernetes

from components._carried import FOLDER as CODE_FOLDER
from components._chosen import chosen

MOUNT: Final = "/mnt/models"
HUB_TOKEN: Final = "/etc/modelcar/huggingface-token"  # noqa: S105  a folder, not a token
REGISTRY_AUTH: Final = "/etc/modelcar/registry-auth"
MODEL_REGISTRY: Final = "/etc/modelcar/model-registry"
TRUSTED: Final = "/etc/modelcar/trusted-ca"
# OpenShift AI puts the cluster's and its own trusted CAs into each of its namespaces.
TRUSTED_CONFIG_MAP: Final = "odh-trusted-ca-bundle"
SERVICE_ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
_SECRETS: Final = {
    "huggingface-token": (HUB_TOKEN, {"HF_TOKEN_PATH": f"{HUB_TOKEN}/token"}),
    "registry-auth": (REGISTRY_AUTH, {"REGISTRY_AUTH_FILE": f"{REGISTRY_AUTH}/.dockerconfigjson"}),
    "model-registry-config": (MODEL_REGISTRY, {}),
}
# skopeo reads them all, besides the system's file. In the service account's folder is the CA of
# the internal OCI registry; the last two are where it would look by itself.
_SKOPEO_TRUSTS: Final = (TRUSTED, SERVICE_ACCOUNT, "/etc/ssl/certs", "/etc/pki/tls/certs")


@dataclass(frozen=True, slots=True)
class Resources:
    """Kubernetes quantities: what is kept free for a task, and what it may not exceed.

    Measured by `python -m benchmarks.run --only tasks`: 60 MB at most, whatever the model's size,
    and 160 MB while pip installs. The limit leaves room for what the kernel keeps of files.
    """

    cpu: str
    cpu_limit: str
    memory: str
    memory_limit: str


ASKING: Final = Resources("100m", "1", "256Mi", "1Gi")
MOVING: Final = Resources("1", "4", "256Mi", "1Gi")


@dataclass(frozen=True, slots=True)
class Settings:
    """What one kind of task has; each has the run's id, and is tried again."""

    resources: Resources = ASKING
    volume: bool = True
    trusts: bool = True
    secrets: tuple[str, ...] = ()


OF_STAGE: Final[Mapping[str, Settings]] = {
    "plan": Settings(volume=False, secrets=("huggingface-token",)),
    "download": Settings(MOVING, secrets=("huggingface-token", "registry-auth")),
    "build": Settings(MOVING, secrets=("registry-auth",)),
    "transfer": Settings(MOVING, secrets=("huggingface-token", "registry-auth")),
    "mirror": Settings(MOVING, volume=False, secrets=("registry-auth",)),
    "register": Settings(secrets=("model-registry-config",)),
    "deploy": Settings(),
    "verify": Settings(secrets=("model-registry-config",)),
    "report": Settings(volume=False, trusts=False),
}


def settle(task: Any, stage: str, pvc_name: Any) -> Any:
    """Give a task what its stage has, and return it.

    None is cached, since each has side effects, and each is tried again.
    """
    settings = OF_STAGE[stage]
    task.set_caching_options(False)
    # Our own code tries again what may pass. This is for a lost pod, and once: each try makes the
    # run's object larger. Argo lets no try begin, and none go on, a week after the first.
    task.set_retry(num_retries=1, backoff_duration="30s", backoff_max_duration="604800s")
    # The run's id, by which records and pods of one run are found again.
    kubernetes.use_field_path_as_env(task, "MODELCAR_RUN_ID", "metadata.labels['pipeline/runid']")
    _resources(task, settings.resources)
    for name in settings.secrets:
        _secret(task, name)
    if settings.volume:
        _volume(task, pvc_name)
    if settings.trusts:
        _trust(task, stage)
    for name, value in chosen().variables.items():
        task.set_env_variable(name, value)
    return task


def _resources(task: Any, resources: Resources) -> None:
    task.set_cpu_request(resources.cpu).set_cpu_limit(resources.cpu_limit)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory_limit)


def _secret(task: Any, name: str) -> None:
    """Mount a secret as files, an optional one; none is ever a parameter or a variable."""
    folder, variables = _SECRETS[name]
    kubernetes.use_secret_as_volume(task, name, mount_path=folder, optional=True)
    for variable, path in variables.items():
        task.set_env_variable(variable, path)


def _volume(task: Any, pvc_name: Any) -> None:
    kubernetes.mount_pvc(task, pvc_name=pvc_name, mount_path=MOUNT)
    if not chosen().runtime:
        task.set_env_variable("PIP_CACHE_DIR", f"{MOUNT}/.cache/pip")
        task.set_env_variable(CODE_FOLDER, f"{MOUNT}/.cache/modelcar")


def _trust(task: Any, stage: str) -> None:
    """Mount the CAs that the cluster's administrators trust, where there are any."""
    mounted = {"mount_path": TRUSTED, "optional": True}
    kubernetes.use_config_map_as_volume(task, TRUSTED_CONFIG_MAP, **mounted)
    task.set_env_variable("MODELCAR_CA_BUNDLE", TRUSTED)
    if stage == "mirror":
        task.set_env_variable("SSL_CERT_DIR", ":".join(_SKOPEO_TRUSTS))
