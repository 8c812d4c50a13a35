"""A model that stands already: how long a process takes to see it, and what it reads for that."""

from functools import partial

from benchmarks.results import Finding, Outcome, contestants, ratio
from benchmarks.runs import Contestant, Ratio, Runs, best, in_rounds
from benchmarks.stand import REPO, SOURCE, Stand
from modelcar.wording import size
from tests.servers.hub import HubServer

OURS, FOLDER = "modelcar", "modelcar, from a folder"
TIMES = 3
"""Such runs are short: there are so many more of them."""


def run(stand: Stand) -> Outcome:
    """Push once with each, then measure the same commands again."""
    with HubServer({REPO: stand.model()}) as hub, stand.oci_registry() as server:
        ours, peers = _ours(stand, hub.url, server.host), _peers(stand, hub.url, server.host)
        for first in (*ours.values(), next(iter(peers.values()))):
            first()
        before = len(hub.requests)
        runs = in_rounds(stand.rounds * TIMES, {**ours, **peers})
        weights = _weight_bytes(hub, before)
    found = Ratio.of(runs[OURS], best(runs, peers))
    findings = (ratio("unchanged", found, 1.00), _nothing_read(stand, runs, weights))
    return Outcome("Unchanged", findings, contestants(runs), stand.note(stand.rounds * TIMES))


def _ours(stand: Stand, hub: str, host: str) -> dict[str, Contestant]:
    work, other = stand.empty("work"), stand.empty("work-2")
    folder = f"file://{stand.model()}"
    return {
        OURS: partial(stand.build, SOURCE, f"{host}/measured/modelcar:1", work, hub),
        FOLDER: partial(stand.build, folder, f"{host}/measured/folder:1", other),
    }


def _peers(stand: Stand, hub: str, host: str) -> dict[str, Contestant]:
    spool, target = stand.empty("spool"), f"{host}/measured/peer:1"
    return {
        f"oci-modelcar, {workers} workers": partial(stand.oci_modelcar, hub, target, spool, workers)
        for workers in stand.workers
    }


def _weight_bytes(hub: HubServer, before: int) -> int:
    seen = hub.requests[before:]
    return sum(one.sent for one in seen if one.target.endswith(".safetensors"))


def _nothing_read(stand: Stand, runs: dict[str, Runs], weights: int) -> Finding:
    read = max(runs[OURS].read, runs[FOLDER].read)
    found = f"{weights} weight bytes from the Hub; {size(read)} read from files, Python's own"
    return Finding(
        "unchanged: bytes of weights", found, "0", weights == 0 and read < stand.shard_bytes
    )
