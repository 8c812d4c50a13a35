"""Measure modelcar beside its peers, in one run: `make bench`, or one contest with --only."""

import compileall
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from benchmarks import (
    changed,
    from_disk,
    from_hub,
    largest,
    machine,
    memory,
    tasks,
    unchanged,
    written,
)
from benchmarks.peers import NOTES, Peers
from benchmarks.results import Outcome, Report, markdown
from benchmarks.runs import tell
from benchmarks.stand import Stand

CONTESTS: dict[str, Callable[[Stand], Outcome]] = {
    "disk": from_disk.run,
    "hub": from_hub.run,
    "unchanged": unchanged.run,
    "changed": changed.run,
    "memory": memory.run,
    "written": written.run,
    "405b": largest.run,
    "tasks": tasks.run,
}
SOURCES = Path(__file__).parents[1] / "src"


@click.command()
@click.option("--only", type=click.Choice(tuple(CONTESTS)), multiple=True, help="Print, not write.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--shards", default=4, show_default=True)
@click.option(
    "--megabytes",
    type=click.IntRange(min=64),
    default=512,
    show_default=True,
    help="MiB a shard; below 64 it would be no layer of its own.",
)
@click.option(
    "--workers", default=(2, 4, 8), multiple=True, help="oci-modelcar's; the best counts."
)
@click.option(
    "--layer", "layers", type=float, default=(0.5, 2, 8), multiple=True, help="GiB, for memory."
)
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".bench"))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path(__file__).parent / "results.md"
)
def main(
    only: Sequence[str],
    rounds: int,
    shards: int,
    megabytes: int,
    workers: tuple[int, ...],
    layers: tuple[float, ...],
    folder: Path,
    out: Path,
) -> None:
    """Hold the contests, print what was found, and write it to --out when all were held."""
    lengths = tuple(int(gibibytes * 2**30) for gibibytes in layers)
    place = folder.absolute()
    peers = Peers.installed(place / "peers")
    stand = Stand(place, peers, rounds, shards, megabytes << 20, workers, lengths)
    # As pip leaves a package that it installs: the peers' are compiled too.
    compileall.compile_dir(SOURCES, quiet=2)
    described = machine.describe(peers)
    text = markdown(Report(described, [_held(name, stand) for name in only or CONTESTS], NOTES))
    if not only:
        out.write_text(text, encoding="utf-8")
    print(text, end="")


def _held(name: str, stand: Stand) -> Outcome:
    tell(name)
    try:
        return CONTESTS[name](stand)
    finally:
        stand.clear()


if __name__ == "__main__":
    main()
