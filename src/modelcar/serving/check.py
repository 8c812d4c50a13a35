"""What a cluster would only tell late: minutes after the apply, in a pod's log, or never."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from modelcar import quantity
from modelcar.names import MAX_NAME
from modelcar.serving.manifest import GPU, Manifest
from modelcar.values import Digest
from modelcar.vllm_arguments import options

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_RUNTIME_OWNS = ("--model", "--served-model-name")
_PLACEMENT = ("nodeSelector", "tolerations", "affinity", "imagePullSecrets", "volumes")


def check(manifest: Manifest, digest: Digest) -> tuple[str, ...]:
    """Return the faults of an InferenceService that is to serve `digest`, each with its field."""
    predictor = manifest["spec"]["predictor"]
    model = predictor["model"]
    arguments, resources = model.get("args", []), model.get("resources", {})
    return (
        *_name(manifest["metadata"]["name"]),
        *_storage_uri(model.get("storageUri", ""), digest),
        *_arguments(arguments),
        *_tensor_parallel(arguments, resources),
        *_resources(resources),
        *_placement(model),
    )


def _name(name: str) -> Iterator[str]:
    if len(name) > MAX_NAME:
        yield f"metadata.name: {name!r} has {len(name)} characters; KServe takes {MAX_NAME}"
    if not _NAME.fullmatch(name):
        yield f"metadata.name: {name!r} is not a letter, then letters, digits and hyphens"


def _storage_uri(uri: str, digest: Digest) -> Iterator[str]:
    place, _, pinned = uri.partition("@")
    if not place.removeprefix("oci://") or not place.startswith("oci://") or pinned != str(digest):
        yield f"storageUri: {uri!r} is not oci://HOST/REPOSITORY@{digest}"


def _arguments(arguments: Sequence[str]) -> Iterator[str]:
    for argument in arguments:
        if re.match(r"-[^\s=]*\s", argument):
            yield f"args: {argument!r} is one word to vLLM; write --option=value"
    for option, _ in options(arguments):
        if option in _RUNTIME_OWNS:
            yield f"args: {option} is the runtime's to say; vLLM would believe this one"


def _tensor_parallel(arguments: Sequence[str], resources: dict[str, Any]) -> Iterator[str]:
    gpus = quantity.parse(str(resources.get("limits", {}).get(GPU, 0)))
    for option, value in options(arguments):
        if option not in ("--tensor-parallel-size", "-tp"):
            continue
        if not value.isdecimal():
            yield f"args: {option} {value!r} is not a whole number"
        elif gpus is not None and int(value) > max(int(gpus), 1):
            yield f"args: {option} {value} needs {value} GPUs; {GPU} is {gpus}"


def _resources(resources: dict[str, Any]) -> Iterator[str]:
    for part, amounts in resources.items():
        for name, amount in amounts.items():
            if quantity.parse(amount) is None:
                yield f"resources.{part}.{name}: {amount!r} is not a quantity, such as 4 or 16Gi"
    limits = resources.get("limits", {})
    for name, amount in resources.get("requests", {}).items():
        requested, limit = quantity.parse(amount), quantity.parse(limits.get(name, amount))
        if requested is not None and limit is not None and requested > limit:
            yield f"resources.requests.{name}: {amount} is above the limit, {limits[name]}"


def _placement(model: dict[str, Any]) -> Iterator[str]:
    for key in _PLACEMENT:
        if key in model:
            yield f"predictor.model.{key}: it belongs under predictor, and is ignored here"
