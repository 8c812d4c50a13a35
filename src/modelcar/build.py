"""From a model to an image: plan, download what the target lacks, push."""

import time
from collections.abc import Sequence
from dataclasses import replace

from modelcar import plan
from modelcar.download import download
from modelcar.hub import Hub
from modelcar.oci.reference import TagReference
from modelcar.oci.store import open_store
from modelcar.progress import LogLines, Progress
from modelcar.push import push
from modelcar.values import BuiltImage, Model, SourceFile
from modelcar.workfolder import WorkFolder


def build(
    model: Model,
    target: TagReference,
    base: str,
    work: WorkFolder,
    hub: Hub,
    progress: Progress | None = None,
) -> BuiltImage:
    """Plan, download what the target lacks, push the image, and return its digest.

    A layer is pushed while the files of the next are downloaded. `base` is a reference or
    `scratch`. Raises SourceError, VerificationError or ImageError.
    """
    began, shown = time.monotonic(), progress or LogLines()
    made = plan.make(model, work, hub, open_store(target.location))
    plan.warn(made)

    def bring(files: Sequence[SourceFile]) -> int:
        return download(made, files, work, hub, shown).downloaded

    built = push(made, target, base, work, shown, bring)
    return replace(built, seconds=round(time.monotonic() - began, 3))
