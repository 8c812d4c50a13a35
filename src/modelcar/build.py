"""From a model to an image: plan, then stream from the source into the target."""

import time
from collections.abc import Sequence
from dataclasses import replace

from modelcar import outcome, plan
from modelcar.hub import Hub
from modelcar.oci.reference import TagReference
from modelcar.oci.store import open_store
from modelcar.packing import DEFAULT, Packing
from modelcar.prepare import prepare
from modelcar.push import push
from modelcar.supply import Supply
from modelcar.values import BuiltImage, Digest, Model
from modelcar.view import Lines, Recorder, View
from modelcar.workfolder import WorkFolder


def build(
    model: Model,
    target: TagReference,
    work: WorkFolder,
    hub: Hub,
    packing: Packing = DEFAULT,
    view: View | None = None,
    named: Sequence[Digest] = (),
) -> BuiltImage:
    """Plan, push the image, and return its digest.

    What the target lacks goes from the Hub straight into it, several layers at a time. Raises
    SourceError, VerificationError or ImageError.
    """
    began = time.monotonic()
    shown = view or Lines()
    recorder = Recorder(shown)
    with recorder.stage("plan") as stage:
        made = prepare(model, work, hub, open_store(target.location), packing, named)
        stage.done(made, outcome.plan(made))
    plan.warn(made)
    supply = Supply(made.source.at(made.commit), work, hub, keep=bool(packing.keep))
    with recorder.stage("build") as stage:
        shown.standing.build(made, str(target.location))
        built = push(made, target, work, supply, packing, shown)
        stage.done(built, outcome.build(built))
    return replace(built, seconds=round(time.monotonic() - began, 3))
