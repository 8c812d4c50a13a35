"""The pipeline's task that pushes the image, from the files on the volume."""

import json
from dataclasses import dataclass

from modelcar import outcome, skopeo_copy
from modelcar.oci.reference import TagReference
from modelcar.packing import Packing
from modelcar.push import push
from modelcar.supply import Supply
from modelcar.task import root, task
from modelcar.tasks.asked import Named, Placed
from modelcar.values import BuiltImage, Digest, to_json
from modelcar.workfolder import WorkFolder

Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Asked(Named, Placed):
    """The task's parameters."""

    commit: str
    plan_sha256: str
    base_image: str
    workdir: str


def make(asked: Asked) -> tuple[tuple[str, ...], Figures]:
    """Return the image and where its mirror goes, all text, and the bytes that moved.

    Ends the process with the error's code when it fails.
    """
    with task("build", asked.workdir) as stage:
        model, work = asked.model(asked.commit), WorkFolder(root(asked.workdir))
        target = asked.target(model, asked.commit)
        made = work.load(Digest.parse(asked.plan_sha256))
        supply = Supply(model.source, work)
        built = push(made, target, work, supply, Packing(base=asked.base_image))
        stage.done(built, outcome.build(built))
    return told(built, asked.mirror(model, asked.commit) or target), figures(built)


def told(built: BuiltImage, mirror: TagReference) -> tuple[str, ...]:
    """Return the image, its facts in JSON, its bytes, and how skopeo copies it to its mirror."""
    facts = (json.dumps(to_json(built.facts)), str(built.facts.size))
    return (str(built.image), *facts, *skopeo_copy.endpoints(built.image, mirror))


def figures(built: BuiltImage) -> Figures:
    """Return what moved, in bytes, and the seconds that it took."""
    moved = {"uploaded_bytes": built.bytes.uploaded, "reused_bytes": built.bytes.reused}
    return {**moved, "image_bytes": built.facts.size, "seconds": built.seconds}
