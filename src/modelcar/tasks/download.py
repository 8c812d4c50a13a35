"""The pipeline's task that brings what the OCI registry lacks onto the volume, verified."""

from dataclasses import dataclass

from modelcar import download, outcome, reuse, room
from modelcar.hub import Hub
from modelcar.task import recorder, task
from modelcar.tasks.listed import Listing

Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Asked(Listing):
    """The task's parameters."""


def make(asked: Asked) -> tuple[str, Figures]:
    """Return the sha256 of the kept plan, and the bytes and files that were brought.

    Before a byte moves, the right to push is asked for, and whether there is room. Ends the
    process with the error's code when it fails.
    """
    hub = Hub(asked.hf_endpoint)
    with task("download", asked.workdir) as stage:
        work, made = asked.work(), asked.again(hub)
        asked.keep(recorder(asked.workdir), made)
        asked.may_push(made)
        wanted = reuse.to_fetch(made)
        room.require(work, made.bytes.downloaded, wanted)
        snapshot = download.download(made, wanted, work, hub)
        stage.done(snapshot, outcome.download(snapshot))
    figures: Figures = {"downloaded_bytes": snapshot.downloaded, "files": len(snapshot.files)}
    return str(work.save(made)), figures
