"""The runs of a pipelines server: list them, and end one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, TypeGuard

from modelcar.dsp.server import PipelinesServer
from modelcar.errors import PipelinesError

SUCCEEDED: Final = "SUCCEEDED"
ENDED: Final = frozenset({SUCCEEDED, "FAILED", "CANCELED", "SKIPPED"})
_LEFT_OUT: Final = "ARCHIVED"
_UNKNOWN: Final = "RUNTIME_STATE_UNSPECIFIED"


@dataclass(frozen=True, slots=True)
class Listed:
    """One run: `created` in ISO 8601, `seconds` until its end or now; no model for another's."""

    run_id: str
    name: str
    model: str
    version: str
    state: str
    created: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Cancelled:
    """A run that was asked to end, unless it had; `state` is what it was in before."""

    run_id: str
    cancelled: bool
    state: str


def runs(server: PipelinesServer, model: str = "", limit: int = 20) -> list[Listed]:
    """Return the runs, or those of a model, newest first and at most `limit`."""
    listing, newest = server.runs.run_service_list_runs, "created_at desc"
    every = server.pages("listing the runs", listing, "runs", sort_by=newest)
    ours = (one for one in every if not model or parameters(one).get("model_name") == model)
    return list(islice((_listed(one) for one in ours if one.storage_state != _LEFT_OUT), limit))


def get(server: PipelinesServer, run_id: str) -> Any:
    """Return a run as the client has it; raise PipelinesError, also where there is none."""
    try:
        return server.ask(f"reading run {run_id}", server.runs.run_service_get_run, run_id)
    except PipelinesError as error:
        if error.status == 404:
            error.remedy = "`modelcar runs` lists those that there are"
        raise


def cancel(server: PipelinesServer, run_id: str) -> Cancelled:
    """End a run; one that has ended is left as it is. Raises PipelinesError."""
    before = state(get(server, run_id))
    if before in ENDED:
        return Cancelled(run_id, False, before)
    terminate = server.runs.run_service_terminate_run
    try:
        server.tell(f"cancelling run {run_id}", terminate, run_id)
    except PipelinesError:
        now = state(get(server, run_id))
        if now not in ENDED:
            raise
        return Cancelled(run_id, False, now)  # it ended between the two requests
    return Cancelled(run_id, True, before)


def state(run: Any) -> str:
    """Return the state of a run or a task; one that the server does not know yet is pending."""
    return str(run.state) if run.state and run.state != _UNKNOWN else "PENDING"


def parameters(run: Any) -> Mapping[str, Any]:
    """Return what a run, or a recurring one, is told."""
    return (run.runtime_config.parameters if run.runtime_config else None) or {}


def when(moment: datetime | None) -> str:
    """Return a moment in ISO 8601, nothing where there is none: the API has 1970 for that."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if _real(moment) else ""


def seconds(began: datetime | None, ended: datetime | None) -> float:
    """Return how long something took, or takes until now; 0 where it has not begun."""
    if not _real(began):
        return 0.0
    until = ended if _real(ended) else datetime.now(UTC)
    return max((until - began).total_seconds(), 0.0)


def _real(moment: datetime | None) -> TypeGuard[datetime]:
    return moment is not None and moment.year > 1970


def _listed(run: Any) -> Listed:
    told = parameters(run)
    return Listed(
        run_id=run.run_id,
        name=str(run.display_name or ""),
        model=str(told.get("model_name", "")),
        version=str(told.get("model_version", "")),
        state=state(run),
        created=when(run.created_at),
        seconds=seconds(run.created_at, run.finished_at),
    )


def tasks(run: Any) -> Iterator[Any]:
    """Yield the tasks of a run as the server tells them, none for one that tells nothing."""
    details = run.run_details
    yield from (details.task_details if details else None) or ()
