"""From a Hub into an OCI registry, beside oci-modelcar at its best number of workers."""

from functools import partial

from benchmarks.measure import Measured
from benchmarks.results import Outcome, contestants, ratio
from benchmarks.runs import Ratio, best, in_rounds
from benchmarks.stand import REPO, SOURCE, Stand
from tests.servers.hub import HubServer

OURS = "modelcar"


def run(stand: Stand) -> Outcome:
    """Push one model of the Hub with each contestant, everything empty each time."""
    with HubServer({REPO: stand.model()}) as hub:
        hub.commit(REPO)  # computes the checksums that the listing gives
        peers = {
            f"oci-modelcar, {workers} workers": partial(_peer, stand, hub.url, workers)
            for workers in stand.workers
        }
        runs = in_rounds(stand.rounds, {OURS: partial(_modelcar, stand, hub.url), **peers})
    found = Ratio.of(runs[OURS], best(runs, peers))
    findings = (ratio("Hub to OCI registry", found, 0.60),)
    return Outcome("From the Hub", findings, contestants(runs), stand.note(stand.rounds))


def _modelcar(stand: Stand, hub: str) -> Measured:
    with stand.oci_registry() as server:
        return stand.build(SOURCE, f"{server.host}/measured/modelcar:1", stand.empty("work"), hub)


def _peer(stand: Stand, hub: str, workers: int) -> Measured:
    with stand.oci_registry() as server:
        target = f"{server.host}/measured/peer:1"
        return stand.oci_modelcar(hub, target, stand.empty("spool"), workers)
