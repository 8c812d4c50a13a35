"""Compare a model with the GPUs that it is to run on, before a byte of it moves or is applied."""

import logging
from collections.abc import Sequence
from typing import Any

from modelcar import gpu, plan, safe_json
from modelcar.errors import DeployError
from modelcar.formats import is_weight
from modelcar.gpu import Fit, Need
from modelcar.gpu_types import GpuNode
from modelcar.hub import Hub
from modelcar.model_shape import Shape, shape
from modelcar.values import Model, ModelSource, Plan, SourceFile, to_json

log = logging.getLogger(__name__)

_CONFIG = "config.json"


def of_plan(model: Model, made: Plan, hub: Hub, nodes: Sequence[GpuNode] = ()) -> Fit:
    """Return how the model of a plan fits; raise SourceError when its config cannot be read."""
    return gpu.best(need(made, hub), model.serving, nodes)


def need(made: Plan, hub: Hub) -> Need:
    """Return what the model of a plan brings; raise SourceError as `of_plan` does."""
    weights = sum(file.size for file in made.files if is_weight(file.path))
    image = sum(layer.size for layer in made.layers)
    listed = next((file for file in made.files if file.path == _CONFIG), None)
    told = config_shape(made.source.at(made.commit), hub, listed) if listed else shape({})
    return Need(weights, image, told)


def recorded(made: Plan, found: Fit) -> dict[str, Any]:
    """Return the JSON form of a plan, with how its model fits as one more key."""
    told = to_json(made)
    assert isinstance(told, dict)  # noqa: S101  as every dataclass
    return {**told, "fit": to_json(found)}


def say(model: Model, found: Fit) -> None:
    """Log how a model fits."""
    level = logging.WARNING if found.verdict in ("tight", "does not fit") else logging.INFO
    log.log(level, "%s: %s", model.name, gpu.told(found))


def require(model: Model, found: Fit) -> None:
    """Log how a model fits; raise DeployError where it does not."""
    if found.verdict != "does not fit":
        say(model, found)
        return
    remedy = found.setting or "choose GPUs with more memory"
    what = f"deploying {model.name} on {found.where}"
    remedy += ", or try with --ignore-fit (ignore_fit in the pipeline)"
    raise DeployError(what, f"it does not fit: {found.why}", remedy)


def config_shape(source: ModelSource, hub: Hub, listed: SourceFile | None = None) -> Shape:
    """Return the shape that a source's config tells; raise SourceError where it cannot be read."""
    try:
        config = safe_json.parse(plan.read(source, _CONFIG, hub, listed))
    except ValueError:
        config = {}
    return shape(config if isinstance(config, dict) else {})
