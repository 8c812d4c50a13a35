"""Compare an image that was built before with the GPUs that it is to run on."""

import logging
import re
from collections.abc import Sequence

from modelcar import gpu
from modelcar.errors import SourceError
from modelcar.fitting import config_shape
from modelcar.gpu import Fit, Need
from modelcar.gpu_types import GpuNode
from modelcar.hub import Hub
from modelcar.model_shape import Shape
from modelcar.safetensors import tensor_bytes
from modelcar.values import ImageFacts, Model

log = logging.getLogger(__name__)


def of_image(model: Model, image: ImageFacts, hub: Hub, nodes: Sequence[GpuNode] = ()) -> Fit:
    """Return how an image fits, by its dtypes and by the model's config at its commit.

    Where the source cannot be read, the weights alone are compared, and that is said.
    """
    try:
        told = config_shape(model.source.at(image.commit), hub)
    except SourceError as error:
        log.warning("the KV cache is not compared: %s", error)
        told = Shape("a config that cannot be read")
    weights = tensor_bytes(_elements(image.told.get("dtypes", "")))
    return gpu.best(Need(weights or image.size, image.size, told), model.serving, nodes)


def _elements(dtypes: str) -> dict[str, int]:
    """Read `BF16=494032768,I32=8`, as an image's annotation has it."""
    pairs = (item.partition("=") for item in dtypes.split(","))
    return {name: int(count) for name, _, count in pairs if re.fullmatch("[0-9]{1,18}", count)}
