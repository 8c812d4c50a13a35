"""A plan compared with its target, as the command line does it."""

from collections.abc import Iterator, Sequence

from modelcar import plan, reuse, trusted
from modelcar.hub import Hub
from modelcar.oci.store import ImageStore
from modelcar.packing import Packing
from modelcar.values import Digest, Model, Plan
from modelcar.workfolder import WorkFolder


def prepare(
    model: Model,
    work: WorkFolder,
    hub: Hub,
    target: ImageStore | None,
    packing: Packing,
    named: Sequence[Digest] = (),
) -> Plan:
    """Resolve, choose, and compare with what the target holds; no weight byte moves.

    But for `verify_reused`, which reads the layers at the target. The manifests `named` are
    believed, such as those that the Model Registry names. Raises what `plan.make` does, and
    OciRegistryError.
    """
    made = plan.make(model, work, hub, packing.max_layer)
    if target is None:
        return made
    made = trusted.believe(made, target, named)
    if packing.trust_target:
        made = trusted.believe(made, target, _tags(target))
    made = reuse.compare(made, work, target)
    if packing.verify_reused:
        made = reuse.with_layers(made, trusted.verified(made, target), work)
    return made


def _tags(target: ImageStore) -> Iterator[str]:
    """Yield the target's tags; it is asked for them when the first is wanted."""
    yield from target.tags()
