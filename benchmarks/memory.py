"""Peak memory by the size of a layer, four layers at a time, from the Hub and from a folder."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import shards
from benchmarks.measure import Measured
from benchmarks.results import Finding, Outcome, Table
from benchmarks.runs import tell
from benchmarks.sink import SinkRegistry
from benchmarks.stand import REPO, SOURCE, Stand
from modelcar.parallel import WORKERS
from modelcar.wording import size
from tests.servers.hub import HubServer

MOST = 200_000_000
SPREAD = 1.10
"""Flat: the largest peak is at most this many times the smallest."""
FROM = ("Hub", "folder")
_NOTE = (
    f"{WORKERS} layers of zeros (sparse files) at a time. The OCI registry of this row counts "
    "bodies and discards them: no disk holds four layers of this size for a test."
)


def run(stand: Stand) -> Outcome:
    """Build models of ever larger layers into a sink."""
    runs = {
        (length, source): measured
        for length in stand.layer_bytes
        for source, measured in _measured(stand, length)
    }
    rows = [
        (f"{length / 2**30:g} GiB, from a {source}", size(run.peak), f"{run.seconds:.1f}")
        for (length, source), run in runs.items()
    ]
    table = Table(("layer", "peak memory", "seconds"), rows)
    return Outcome("Memory", _findings(stand, list(runs.values())), table, _NOTE)


def _measured(stand: Stand, length: int) -> Iterator[tuple[str, Measured]]:
    model = stand.empty("sparse")
    shards.write_sparse(model, WORKERS, length)
    for source in FROM:
        tell(f"  layers of {length / 2**30:g} GiB, from a {source}")
        measured = _built(stand, model, source)
        tell(f"    {size(measured.peak)}, {measured.seconds:.1f} s")
        yield source, measured


def _built(stand: Stand, model: Path, source: str) -> Measured:
    work = stand.empty("work")
    with SinkRegistry() as sink:
        target = f"{sink.host}/measured/model:1"
        if source == "folder":
            return stand.build(f"file://{model}", target, work)
        with HubServer({REPO: model}) as hub:
            hub.commit(REPO)  # here, not while somebody waits for the listing
            return stand.build(SOURCE, target, work, hub.url)


def _findings(stand: Stand, runs: list[Measured]) -> list[Finding]:
    peaks = [run.peak for run in runs]
    range_ = " to ".join(f"{length / 2**30:g}" for length in _ends(stand.layer_bytes))
    most = Finding(
        f"peak memory, layers of {range_} GiB, {WORKERS} at a time",
        f"{size(max(peaks))}",
        f"≤ {size(MOST)}",
        max(peaks) <= MOST,
    )
    spread = max(peaks) / min(peaks)
    flat = Finding("the same, largest over smallest", f"{spread:.2f}", "flat", spread <= SPREAD)
    return [most, flat]


def _ends(lengths: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({min(lengths), max(lengths)}))
