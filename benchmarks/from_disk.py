"""From a folder into an OCI registry, beside the common way and beside what the hardware allows."""

import sys
from functools import partial

from benchmarks.measure import Measured, measure
from benchmarks.results import Outcome, contestants, ratio
from benchmarks.runs import Ratio, in_rounds
from benchmarks.stand import Stand
from modelcar.parallel import WORKERS

OURS, LIMIT, COMMON = "modelcar", "bare PATCH", "olot + skopeo"


def run(stand: Stand) -> Outcome:
    """Push one folder with each contestant, into an empty OCI registry each time."""
    ways = {LIMIT: _bare, OURS: _modelcar, COMMON: _olot}
    runs = in_rounds(stand.rounds, {name: partial(ways[name], stand) for name in ways})
    findings = (
        ratio("disk to OCI registry", Ratio.of(runs[OURS], runs[COMMON]), 0.45),
        ratio("disk to OCI registry, against bare PATCH", Ratio.of(runs[OURS], runs[LIMIT]), 1.10),
    )
    return Outcome("From disk", findings, contestants(runs), stand.note(stand.rounds))


def _modelcar(stand: Stand) -> Measured:
    with stand.oci_registry() as server:
        target = f"{server.host}/measured/modelcar:1"
        return stand.build(f"file://{stand.model()}", target, stand.empty("work"))


def _bare(stand: Stand) -> Measured:
    files = [str(path) for path in sorted(stand.model().glob("*.safetensors"))]
    with stand.oci_registry() as server:
        argv = [sys.executable, "-m", "benchmarks.bare", server.host, "measured/bare"]
        return measure([*argv, str(WORKERS), *files], stand.home())


def _olot(stand: Stand) -> Measured:
    with stand.oci_registry() as server:
        return stand.olot(server.host)
