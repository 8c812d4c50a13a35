"""From a model to an image: plan, download what the target lacks, push."""

import time
from dataclasses import replace

from modelcar import plan
from modelcar.download import download
from modelcar.hub import Hub
from modelcar.oci.reference import TagReference
from modelcar.oci.store import open_store
from modelcar.progress import LogLines, Progress
from modelcar.push import push
from modelcar.values import BuiltImage, Model
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

    `base` is a reference or `scratch`. Raises SourceError, VerificationError or ImageError.
    """
    began, shown = time.monotonic(), progress or LogLines()
    made = plan.make(model, work, hub, open_store(target.location))
    snapshot = download(made, plan.to_fetch(made), work, hub, shown)
    built = push(made, target, base, work, shown, snapshot.downloaded)
    return replace(built, seconds=round(time.monotonic() - began, 3))
