"""The lease on a volume claim: of a model version, one run at a time works there.

It is an annotation of the claim's object. A file on the volume could not do it: a volume of
ReadWriteOnce keeps the second run's pod from starting at all.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from modelcar.cluster import asking, request
from modelcar.errors import PreflightError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

ANNOTATION: Final = "modelcar-pipelines.io/runs"
"""A JSON object: the run's id by model and version."""
RUN_LABEL: Final = "pipeline/runid"
"""What KFP puts on the workflow and the pods of a run."""
_OVER: Final = ("Succeeded", "Failed", "Error")
_TRIES: Final = 20
Holders = dict[str, str]


@dataclass(frozen=True, slots=True)
class Lease:
    """What one run holds of a claim; `what` is the model and its version."""

    api: "ApiClient"
    namespace: str
    claim: str
    what: str
    run_id: str

    def take(self) -> str:
        """Hold it, and return the run that held it before and is over; nothing without one.

        Raises PreflightError where another run goes on, DeployError where the claim may not be
        read or written.
        """
        with asking(f"taking the lease of {self.what} on {self.claim}"):
            holder = _holders(self._pvc()).get(self.what, "")
            if holder not in ("", self.run_id) and self._goes_on(holder):
                raise self._held(holder)
            self._change(lambda holders: self._with_own(holders, holder))
        return holder if holder != self.run_id else ""

    def release(self) -> bool:
        """Give it back, and return whether this run held it; what another holds stays."""
        with asking(f"releasing the lease of {self.what} on {self.claim}"):
            held = _holders(self._pvc()).get(self.what) == self.run_id
            if held:
                self._change(self._without_own)
        return held

    def _with_own(self, holders: Holders, before: str) -> Holders:
        now = holders.get(self.what, "")
        if now not in (before, self.run_id):  # another run was faster
            raise self._held(now)
        return {**holders, self.what: self.run_id}

    def _without_own(self, holders: Holders) -> Holders:
        return {what: run for what, run in holders.items() if (what, run) != self._own}

    @property
    def _own(self) -> tuple[str, str]:
        return self.what, self.run_id

    def _change(self, change: Callable[[Holders], Holders]) -> None:
        """Compare and swap: the API server refuses what another has written meanwhile."""
        from kubernetes.client.rest import ApiException

        for tries_left in reversed(range(_TRIES)):
            pvc = self._pvc()
            before = _holders(pvc)
            after = change(before)
            if after == before:
                return
            try:
                request(self.api, "PUT", self._path, (), _with_holders(pvc, after))
                return
            except ApiException as error:
                if error.status != 409 or not tries_left:
                    raise

    def _goes_on(self, run: str) -> bool:
        """Return whether a workflow of that run has not ended, or a task of it still runs."""
        flows = self._phases("/apis/argoproj.io/v1alpha1", "workflows", run)
        if any(phase not in _OVER for phase in flows):
            return True
        return "Running" in self._phases("/api/v1", "pods", run)

    def _phases(self, group: str, kind: str, run: str) -> list[str]:
        """Return the phases of a run's objects, none where the cluster knows no such kind."""
        from kubernetes.client.rest import ApiException

        path = f"{group}/namespaces/{self.namespace}/{kind}"
        try:
            listed = request(self.api, "GET", path, [("labelSelector", f"{RUN_LABEL}={run}")])
        except ApiException as error:
            if error.status != 404:
                raise
            return []
        return [(item.get("status") or {}).get("phase", "") for item in listed["items"]]

    def _held(self, holder: str) -> PreflightError:
        why = f"run {holder} holds it on the volume claim {self.claim}"
        remedy = "wait until it ends, or cancel it: what it did is kept"
        return PreflightError(f"lease of {self.what}", why, remedy)

    def _pvc(self) -> dict[str, Any]:
        found: dict[str, Any] = request(self.api, "GET", self._path)
        return found

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims/{self.claim}"


def _holders(pvc: dict[str, Any]) -> Holders:
    """Return who holds what; a text of somebody else counts as nobody."""
    text = (pvc["metadata"].get("annotations") or {}).get(ANNOTATION, "{}")
    try:
        found = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {}
    held = found.items() if isinstance(found, dict) else ()
    return {what: run for what, run in held if isinstance(run, str)}


def _with_holders(pvc: dict[str, Any], holders: Holders) -> dict[str, Any]:
    annotations = {**(pvc["metadata"].get("annotations") or {})}
    annotations.pop(ANNOTATION, None)
    if holders:
        annotations[ANNOTATION] = json.dumps(holders, sort_keys=True)
    return {**pvc, "metadata": {**pvc["metadata"], "annotations": annotations}}
