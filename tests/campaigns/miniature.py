"""The command line in miniature: what counts as large, and each pause, are scaled down.

So a model of some megabytes takes the paths of one of gigabytes. With `HURRIED` set, timeouts are
scaled too: a peer that is silent for as long as they allow takes seconds. Nothing else differs:
python -m tests.campaigns.miniature VERB…
"""

import importlib
import os
from collections.abc import Mapping
from typing import Final

KIB: Final = 1024
SCALED: Final[Mapping[str, Mapping[str, float]]] = {
    "modelcar.retries": {"PAUSE": 0.01},
    "modelcar.listing": {"LARGE": 256 * KIB},
    "modelcar.weights": {"LARGE": 256 * KIB},
    "modelcar.oci.content": {"_SMALL": 64 * KIB},
    "modelcar.packing": {"LEAST_CHUNK": 64 * KIB},
    "modelcar.ranged": {"BLOCK": 32 * KIB},
}
HURRIED: Final = "MINIATURE_HURRIED"
TIMEOUTS: Final[Mapping[str, Mapping[str, float]]] = {
    "modelcar.connections": {"REACH": 3.0, "ANSWER": 3.0, "STORE": 4.0, "MIRROR": 6.0},
}


def scale() -> None:
    """Set each constant; raise AttributeError for one that is gone."""
    for name, values in {**SCALED, **(TIMEOUTS if HURRIED in os.environ else {})}.items():
        module = importlib.import_module(name)
        for constant, value in values.items():
            getattr(module, constant)
            setattr(module, constant, value)


if __name__ == "__main__":
    scale()
    from modelcar.cli import main

    main()
