"""What the model itself needs: access to its files, a plan, and GPUs by their type."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from modelcar import fitting, gpu, plan, reuse
from modelcar.errors import ImageError
from modelcar.hub import Hub
from modelcar.oci.reference import TagReference
from modelcar.oci.store import open_store
from modelcar.preflight.finding import Finding, State
from modelcar.values import Model, Plan
from modelcar.wording import size
from modelcar.workfolder import WorkFolder

_STATES: Final[dict[str, State]] = {
    "fits": "ok",
    "tight": "warning",
    "unknown": "unknown",
    "does not fit": "failed",
}


class Planned:
    """The plan of a model, made once for all checks; None where it cannot be."""

    def __init__(self, model: Model, work: WorkFolder, hub: Hub) -> None:
        self._model, self._hub, self._work = model, hub, work
        self.made: Plan | None = None

    def check(self) -> Iterator[Finding]:
        """Make the plan, for which the small files are read: a gated model refuses them."""
        self.made = made = plan.make(self._model, self._work, self._hub)
        total = size(sum(file.size for file in made.files))
        where = f"{made.source.uri}@{made.commit}" if made.commit else made.source.uri
        yield Finding("source", "ok", f"{where}: {len(made.files)} files, {total}")
        for warning in made.warnings:
            yield Finding("source", "warning", warning)

    def fit(self) -> Iterator[Finding]:
        """Compare the model with the GPU type that its node selector names."""
        if self.made is None:
            yield Finding("fit", "unknown", "there is no plan")
            return
        yield fit_finding(fitting.of_plan(self._model, self.made, self._hub))

    def need(self) -> gpu.Need | None:
        """Return what the model brings to a GPU; None without a plan."""
        return fitting.need(self.made, self._hub) if self.made else None

    def missing(self, target: TagReference | None) -> int:
        """Return the bytes that a volume is to hold: of the files whose layers the target lacks."""
        if self.made is None:
            return 0
        found = self.made
        if target:
            with suppress(ImageError):  # that it does not answer is another check's finding
                found = reuse.compare(found, self._work, open_store(target.location))
        return sum(file.size for file in reuse.to_fetch(found))


def fit_finding(found: gpu.Fit) -> Finding:
    """Return how a model fits, as a finding."""
    told = f"{found.verdict} on {found.where}" if found.where else found.verdict
    what = f"{told}: {found.why}" if found.why else gpu.told(found)
    return Finding("fit", _STATES[found.verdict], what, found.setting)
