"""The pipeline's parameters of serving, all text, as the settings of a model."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from modelcar import parameters, quantity
from modelcar.errors import DeployError, UsageError
from modelcar.values import Serving

_TOLERATION: Final = re.compile(r"[^\s:=]+(=[^\s:=]*)?(:(Prefer)?NoSchedule|:NoExecute)?")
_FIELD: Final = re.compile(r"serving\.(\w+)")
_NAMES: Final = {
    "gpus": "gpu_count",
    "cpu": "cpu_request",
    "memory": "memory_request",
    "node_selector": "node_selector_label",
    "args": "vllm_args",
    "runtime": "serving_runtime",
}


def serving(
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
    route: str = "true",
    auth: str = "true",
) -> Serving:
    """Return the serving settings; raise UsageError naming the parameter that cannot be read."""
    gpus = _number("gpu_count", gpu_count)
    return Serving(
        gpus=gpus,
        cpu=_quantity("cpu_request", cpu_request),
        memory=_quantity("memory_request", memory_request),
        memory_limit=memory_limit and _quantity("memory_limit", memory_limit),
        node_selector=_selector(node_selector_label),
        tensor_parallel_size=_number("tensor_parallel_size", tensor_parallel_size or str(gpus)),
        max_model_len=_number("max_model_len", max_model_len or "0"),
        args=parameters.words("vllm_args", vllm_args),
        runtime=serving_runtime or Serving().runtime,
        tolerations=_tolerations(tolerations),
        hardware_profile=hardware_profile,
        pull_secret=pull_secret,
        route=parameters.switch("route", route),
        auth=parameters.switch("auth", auth),
    )


@contextmanager
def spoken() -> Iterator[None]:
    """Have an error's remedy name the pipeline's parameters, not the fields of a catalog entry."""
    try:
        yield
    except DeployError as error:
        error.remedy = _FIELD.sub(lambda field: _NAMES.get(field[1], field[1]), error.remedy)
        raise


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"parameter {name}", f"{text!r} is not a whole number", "write digits")
    return int(text)


def _quantity(name: str, text: str) -> str:
    if not quantity.parse(text):
        raise UsageError(f"parameter {name}", f"{text!r} is not a quantity", "write 4 or 32Gi")
    return text


def _tolerations(text: str) -> tuple[str, ...]:
    found = tuple(one.strip() for one in text.split(",") if one.strip())
    for one in found:
        if not _TOLERATION.fullmatch(one):
            remedy = "write key=value:NoSchedule, or key"
            raise UsageError("parameter tolerations", f"{one!r} is not a toleration", remedy)
    return found


def _selector(text: str) -> dict[str, str]:
    """Parse `key=value[,key=value]`; the predecessor wrote one such pair."""
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if any(not (key.strip() and equals) for key, equals, _ in pairs):
        why = f"{text!r} is not key=value"
        raise UsageError("parameter node_selector_label", why, "write key=value,key=value")
    return {key.strip(): value.strip() for key, _, value in pairs}
