"""The files of the plan, listed again where the volume is: at its commit, and compared."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace

from modelcar import outcome, parameters, plan, reuse
from modelcar.hub import Hub
from modelcar.oci import auth
from modelcar.oci.reference import Repository, TagReference
from modelcar.oci.store import open_store
from modelcar.preflight.finding import Finding, require
from modelcar.preflight.pushing import pushing
from modelcar.records import RunRecorder
from modelcar.task import root
from modelcar.tasks.asked import Chosen, Named, Placed
from modelcar.values import Plan, StageRecord, from_json, to_json
from modelcar.workfolder import WorkFolder


@dataclass(frozen=True, kw_only=True)
class Listing(Named, Chosen, Placed):
    """The parameters of a task that fetches what was planned; `planned` is JSON."""

    revision: str
    commit: str
    choice: str
    planned: str
    hf_endpoint: str
    skip_preflight: str
    workdir: str

    def work(self) -> WorkFolder:
        """Return the work folder."""
        return WorkFolder(root(self.workdir))

    def again(self, hub: Hub) -> Plan:
        """Return the plan with what is known in the work folder, and at the target.

        Raises SourceError where other files are listed than were planned.
        """
        model = self.model(self.commit or self.revision, rules=self.rules())
        made = plan.make(model, self.work(), hub)
        plan.hold(made, self.choice)
        named = made.source.at(self.revision) if model.source.kind == "hf" else made.source
        store = open_store(self.target(model, self.commit).location)
        return reuse.compare(replace(made, source=named), self.work(), store)

    def may_push(self, made: Plan) -> None:
        """Ask for the right to push where something is missing; raise PreflightError."""
        if parameters.switch("skip_preflight", self.skip_preflight):
            return
        model = self.model(self.commit)
        target, mirror = self.target(model, self.commit), self.mirror(model, self.commit)
        require(_login_of_skopeo(target))
        if not reuse.to_fetch(made):
            return
        require(pushing("registry", target))
        require(pushing("mirror_to", mirror, by_skopeo=True) if mirror else ())

    def keep(self, recorder: RunRecorder, made: Plan) -> None:
        """Write the record of the plan task, which has no volume, with all that is planned."""
        told = json.loads(self.planned) if self.planned else {}
        if told:
            record: StageRecord = from_json(StageRecord, told)
            full = to_json(made)
            assert isinstance(full, dict)  # noqa: S101  as every dataclass
            result = {**record.result, **full}
            recorder.write(replace(record, result=result, detail=outcome.plan(made)))


def _login_of_skopeo(target: TagReference) -> Iterator[Finding]:
    """Look for the login at the internal OCI registry, where only our own code has the pod's."""
    place = target.location
    if isinstance(place, Repository) and place.in_cluster and not auth.in_files(place):
        remedy = "run `modelcar bootstrap`, which writes it"
        what = f"registry-auth has no login for {place.host}, which the mirror task needs"
        yield Finding("login", "failed", what, remedy)
