"""Layers that others' records name: believed only when asked to be, or read to be sure."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace

from modelcar.errors import ImageError
from modelcar.oci import layer
from modelcar.oci.earlier import layers
from modelcar.oci.reading_back import matches
from modelcar.oci.store import ImageStore
from modelcar.parallel import in_parallel
from modelcar.values import Digest, KnownLayer, Plan, PlannedLayer

log = logging.getLogger(__name__)


def believe(plan: Plan, target: ImageStore, names: Iterable[str | Digest]) -> Plan:
    """Return the plan with the layers that images at the target say they hold.

    `names` are tags and digests of these images. Annotations can lie, and nothing here proves
    them: the user trusts who wrote them, or reads the layers.
    """
    unknown = {layer.key(item.files): item for item in plan.layers if item.known is None}
    wanted = {key: item.size for key, item in unknown.items() if key is not None}
    found = layers(target, names, wanted) if wanted else {}
    return replace(plan, layers=tuple(_with_known(item, found) for item in plan.layers))


def _with_known(item: PlannedLayer, found: Mapping[Digest, KnownLayer]) -> PlannedLayer:
    key = layer.key(item.files)
    return item if item.known or key is None else replace(item, known=found.get(key))


def verified(plan: Plan, target: ImageStore) -> list[PlannedLayer]:
    """Read each layer that would be reused; return all, without those that prove wrong."""

    def read(item: PlannedLayer) -> PlannedLayer:
        known = item.known
        if not item.reused or known is None or _is_right(item, known.digest, target):
            return item
        log.warning("layer %s is not what the source lists; it is built anew", known.digest)
        return replace(item, known=None, reused=False, refuted=True)

    return in_parallel(read, plan.layers)


def _is_right(item: PlannedLayer, digest: Digest, target: ImageStore) -> bool:
    try:
        return matches(item.files, target.open_blob(digest))
    except ImageError as error:
        log.warning("%s", error)
        return False
