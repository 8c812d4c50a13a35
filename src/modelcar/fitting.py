"""Compare a model with the GPUs that it is to run on, before a byte of it moves or is applied."""

import json
import logging
from collections.abc import Sequence

from modelcar import gpu, plan
from modelcar.errors import DeployError, SourceError
from modelcar.formats import is_weight
from modelcar.gpu import Fit, Need
from modelcar.gpu_types import GpuNode
from modelcar.hub import Hub
from modelcar.model_shape import Shape, shape
from modelcar.safetensors import tensor_bytes
from modelcar.values import ImageFacts, Model, ModelSource, Plan

log = logging.getLogger(__name__)

_CONFIG = "config.json"


def of_plan(model: Model, made: Plan, hub: Hub, nodes: Sequence[GpuNode] = ()) -> Fit:
    """Return how the model of a plan fits; raise SourceError when its config cannot be read."""
    weights = sum(file.size for file in made.files if is_weight(file.path))
    image = sum(layer.size for layer in made.layers)
    there = any(file.path == _CONFIG for file in made.files)
    told = _shape(made.source.at(made.commit), hub) if there else shape({})
    return gpu.best(Need(weights, image, told), model.serving, nodes)


def of_image(model: Model, image: ImageFacts, hub: Hub, nodes: Sequence[GpuNode] = ()) -> Fit:
    """Return how an image fits, by its dtypes and by the model's config at its commit.

    Where the source cannot be read, the weights alone are compared, and that is said.
    """
    try:
        told = _shape(model.source.at(image.commit), hub)
    except SourceError as error:
        log.warning("the KV cache is not compared: %s", error)
        told = Shape("a config that cannot be read")
    weights = tensor_bytes(_elements(image.told.get("dtypes", "")))
    return gpu.best(Need(weights or image.size, image.size, told), model.serving, nodes)


def require(model: Model, found: Fit) -> None:
    """Log how a model fits; raise DeployError where it does not."""
    if found.verdict != "does not fit":
        level = logging.WARNING if found.verdict == "tight" else logging.INFO
        log.log(level, "%s: %s", model.name, gpu.told(found))
        return
    remedy = found.setting or "choose GPUs with more memory"
    what = f"deploying {model.name} on {found.where}"
    raise DeployError(what, f"it does not fit: {found.why}", f"{remedy}, or try with --ignore-fit")


def _shape(source: ModelSource, hub: Hub) -> Shape:
    try:
        config = json.loads(plan.read(source, _CONFIG, hub))
    except (ValueError, RecursionError):
        config = {}
    return shape(config if isinstance(config, dict) else {})


def _elements(dtypes: str) -> dict[str, int]:
    """Read `BF16=494032768,I32=8`, as an image's annotation has it."""
    pairs = (item.partition("=") for item in dtypes.split(","))
    return {name: int(count) for name, _, count in pairs if count.isdecimal()}
