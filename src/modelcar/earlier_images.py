"""Which earlier images of a model are believed, since the Model Registry names their digests."""

import logging

from modelcar.errors import ModelRegistryError
from modelcar.model_registry import Connection, versions
from modelcar.values import Digest

log = logging.getLogger(__name__)


def named(connection: Connection | None, model: str) -> tuple[Digest, ...]:
    """Return the digests that the Model Registry names for `model`, the newest first.

    They spare work and are not needed: where it does not answer, it is said that there are none.
    """
    if connection is None:
        return ()
    try:
        return versions.digests(connection, model)
    except ModelRegistryError as error:
        log.warning("no earlier image is believed: %s", error)
        return ()
