"""The pipeline's task that streams what the OCI registry lacks straight from the Hub into it."""

from dataclasses import dataclass

from modelcar import outcome
from modelcar.hub import Hub
from modelcar.packing import Packing
from modelcar.push import push
from modelcar.supply import Supply
from modelcar.task import recorder, task
from modelcar.tasks.build import Figures, figures, told
from modelcar.tasks.listed import Listing


@dataclass(frozen=True, kw_only=True)
class Asked(Listing):
    """The task's parameters."""

    base_image: str


def make(asked: Asked) -> tuple[tuple[str, ...], Figures]:
    """Return the kept plan's sha256, the image and where its mirror goes, and what moved.

    No file is written to the volume. Ends the process with the error's code when it fails.
    """
    hub = Hub(asked.hf_endpoint)
    with task("download", asked.workdir) as stage:
        work, made = asked.work(), asked.again(hub)
        asked.keep(recorder(asked.workdir), made)
        asked.may_push(made)
        stage.skip("the files go straight into the image")
    with task("build", asked.workdir) as stage:
        model = asked.model(asked.commit)
        target = asked.target(model, asked.commit)
        supply = Supply(model.source, work, hub)
        built = push(made, target, work, supply, Packing(base=asked.base_image))
        stage.done(built, outcome.build(built))
    image = told(built, asked.mirror(model, asked.commit) or target)
    moved = {**figures(built), "downloaded_bytes": built.bytes.downloaded}
    return (str(work.save(made)), *image), moved
