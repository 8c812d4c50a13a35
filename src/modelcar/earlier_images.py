"""Which earlier images of a model are believed, since the Model Registry names their digests."""

import logging
from collections.abc import Callable
from dataclasses import replace

from modelcar.errors import DeployError, ModelRegistryError
from modelcar.model_registry import Connection, versions
from modelcar.values import Digest

_SECONDS = 10.0
log = logging.getLogger(__name__)


def named(connect: Callable[[], Connection | None], model: str) -> tuple[Digest, ...]:
    """Return the digests that the Model Registry names for `model`, the newest first.

    They spare work and are not needed: where it does not answer soon, or the kubeconfig that has
    the token cannot be read, it is said that there are none.
    """
    try:
        connection = connect()
        if connection is None:
            return ()
        return versions.digests(replace(connection, timeout=_SECONDS), model)
    except (ModelRegistryError, DeployError) as error:
        log.warning("no earlier image is believed: %s", error)
        return ()
