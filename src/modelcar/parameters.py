"""The pipeline's parameters, all text, as the values that the stages take."""

import re
import shlex
from dataclasses import replace
from typing import Final

from modelcar import trust
from modelcar.errors import UsageError
from modelcar.names import dns_name, image_tag
from modelcar.oci.reference import TagReference, parse_tag
from modelcar.values import Model, ModelSource, Serving

_TOLERATION: Final = re.compile(r"[^\s:=]+(=[^\s:=]*)?(:(Prefer)?NoSchedule|:NoExecute)?")
INTERNAL: Final = "image-registry.openshift-image-registry.svc:5000"


def model(
    hf_repo: str,
    revision: str,
    model_name: str,
    model_version: str,
    description: str = "",
    serving: Serving | None = None,
) -> Model:
    """Return the model that the parameters name; raise ReferenceError_ or UsageError.

    `hf_repo` is `org/name`, or a URI as the command line takes it.
    """
    source = ModelSource.parse(hf_repo if "://" in hf_repo else f"hf://{hf_repo}")
    if source.kind == "hf" and revision:
        source = source.at(revision)
    name = model_name or source.location.rpartition("/")[2]
    return Model(dns_name(name), model_version, source, description, serving=serving or Serving())


def gpus(
    gpu_count: str,
    node_selector_label: str,
    tensor_parallel_size: str,
    max_model_len: str,
    vllm_args: str,
) -> Serving:
    """Return what decides whether a model fits; raise UsageError for what cannot be read."""
    count = _number("gpu_count", gpu_count)
    return Serving(
        gpus=count,
        node_selector=_selector(node_selector_label),
        tensor_parallel_size=_number("tensor_parallel_size", tensor_parallel_size or str(count)),
        max_model_len=_number("max_model_len", max_model_len or "0"),
        args=_arguments(vllm_args),
    )


def serving(
    fit: Serving,
    cpu_request: str,
    memory_request: str,
    memory_limit: str,
    serving_runtime: str,
    tolerations: str,
    hardware_profile: str,
    pull_secret: str,
) -> Serving:
    """Return all serving settings, with those that `gpus` returned."""
    return replace(
        fit,
        cpu=cpu_request,
        memory=memory_request,
        memory_limit=memory_limit,
        runtime=serving_runtime or Serving().runtime,
        tolerations=_tolerations(tolerations),
        hardware_profile=hardware_profile,
        pull_secret=pull_secret,
    )


def target(registry: str, namespace: str, model: Model, commit: str) -> TagReference:
    """Return where the model's image goes: below `registry`, a host and a namespace.

    Without one it is the cluster's internal OCI registry, in `namespace` or the pod's own. Raises
    ReferenceError_ or UsageError.
    """
    place = registry.rstrip("/") or f"{INTERNAL}/{namespace or _own_namespace()}"
    return parse_tag(f"{place}/{model.name}:{image_tag(model.version, commit)}")


def mirror_target(mirror_to: str, model: Model, commit: str) -> TagReference | None:
    """Return where the image is mirrored to, None when no mirror is asked for."""
    if not mirror_to:
        return None
    return target(mirror_to, "", model, commit)


def switch(name: str, text: str) -> bool:
    """Return whether a parameter says true or false; raise UsageError for anything else."""
    if text.lower() not in ("true", "false"):
        raise UsageError(f"parameter {name}", f"{text!r} is neither", "write true or false")
    return text.lower() == "true"


def _own_namespace() -> str:
    found = trust.own_namespace()
    if not found:
        remedy = "name a host and a namespace, such as quay.io/team"
        raise UsageError("parameter registry", "it is empty outside a cluster", remedy)
    return found


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"parameter {name}", f"{text!r} is not a whole number", "write digits")
    return int(text)


def _arguments(text: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        remedy = "write them as a shell takes them"
        raise UsageError("parameter vllm_args", f"{text!r}: {error}", remedy) from error


def _tolerations(text: str) -> tuple[str, ...]:
    found = tuple(one.strip() for one in text.split(",") if one.strip())
    for one in found:
        if not _TOLERATION.fullmatch(one):
            remedy = "write key=value:NoSchedule, or key"
            raise UsageError("parameter tolerations", f"{one!r} is no toleration", remedy)
    return found


def _selector(text: str) -> dict[str, str]:
    """Parse `key=value[,key=value]`; the predecessor wrote one such pair."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not (key.strip() and equals) for key, equals, _ in pairs):
        why = f"{text!r} is not key=value"
        raise UsageError("parameter node_selector_label", why, "write key=value,key=value")
    return {key.strip(): value.strip() for key, _, value in pairs}
