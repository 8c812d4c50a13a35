"""Measure modelcar beside its peers, in one run: `make bench`, or with --shards and --megabytes."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks import shards
from benchmarks.contest import REPO, Measured, Runs, Stand
from modelcar.wording import size
from tests.servers.hub import HubServer

PEERS = ("oci-modelcar==1.3.0", "olot==1.2.1")
RESULTS = Path(__file__).with_name("results.md")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two contestants to compare, and the ratio that is aimed at."""

    what: str
    ours: str
    theirs: str
    target: float


PAIRS = (
    Pair("disk to OCI registry", "modelcar, disk", "olot + skopeo", 0.45),
    Pair("disk to OCI registry, against the limit", "modelcar, disk", "bare PATCH", 1.10),
    Pair("Hub to OCI registry", "modelcar, Hub", "oci-modelcar, Hub", 0.60),
    Pair("unchanged", "modelcar, unchanged", "oci-modelcar, unchanged", 1.00),
)


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path(".bench"))
@click.option("--shards", "count", default=4, show_default=True)
@click.option("--megabytes", default=512, show_default=True, help="MiB a shard.")
@click.option("--rounds", default=5, show_default=True)
@click.option("--workers", default=(2, 4), multiple=True, help="oci-modelcar's; its best counts.")
def main(folder: Path, count: int, megabytes: int, rounds: int, workers: tuple[int, ...]) -> None:
    """Run every contestant once a round, and write the medians to benchmarks/results.md."""
    folder = folder.absolute()
    model = folder / f"model-{count}-{megabytes}"
    if not (model / "README.md").is_file():
        shards.write(model, count, megabytes << 20)
    with HubServer({REPO: model}) as hub:
        stand = Stand(folder, model, hub.url, _peers(folder / "peers"))
        runs: dict[str, Runs] = {}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            for name, measured in _round(stand, workers):
                runs.setdefault(name, Runs()).measured.append(measured)
                print(f"  {name:<28}{measured.seconds:7.2f} s", file=sys.stderr)
    text = report(_best(runs), f"{count} shards of {megabytes} MiB, {rounds} rounds")
    RESULTS.write_text(text, encoding="utf-8")
    print(text)


def report(runs: Mapping[str, Runs], model: str) -> str:
    """Return the results as Markdown: each contestant, then each pair with its ratio."""
    lines = ["# Measured", "", f"{_machine()}; {model}; medians.", ""]
    lines += ["| contestant | seconds | peak memory |", "|---|--:|--:|"]
    for name, run in runs.items():
        lines.append(f"| {name} | {run.median:.2f} | {size(run.peak)} |")
    lines += ["", "| pair | ratio | aim |", "|---|--:|--:|"]
    for pair in PAIRS:
        ratio = runs[pair.ours].median / runs[pair.theirs].median
        lines.append(f"| {pair.what} | {ratio:.2f} | {pair.target:.2f} |")
    return "\n".join(lines) + "\n"


def _round(stand: Stand, workers: tuple[int, ...]) -> Iterator[tuple[str, Measured]]:
    with stand.oci_registry() as server:
        yield "bare PATCH", stand.bare(server.host)
    with stand.oci_registry() as server:
        yield "modelcar, disk", stand.from_disk(server.host)
    with stand.oci_registry() as server:
        yield "olot + skopeo", stand.olot(server.host)
    with stand.oci_registry() as server:
        yield "modelcar, Hub", stand.from_hub(server.host)
        yield "modelcar, unchanged", stand.again(server.host)
    for count in workers:
        with stand.oci_registry() as server:
            spool = stand.empty("spool")
            yield f"oci-modelcar, Hub, {count}", stand.oci_modelcar(server.host, count, spool)
            again = stand.oci_modelcar(server.host, count, spool)
            yield f"oci-modelcar, unchanged, {count}", again


def _best(runs: Mapping[str, Runs]) -> dict[str, Runs]:
    """Return the runs with those of the peer's best worker count under one name."""
    best = dict(runs)
    for kind in ("oci-modelcar, Hub", "oci-modelcar, unchanged"):
        fastest = min((n for n in runs if n.startswith(f"{kind},")), key=lambda n: runs[n].median)
        best[kind] = runs[fastest]
    return best


def _peers(folder: Path) -> Path:
    """Return the Python of the peers' own environment, made on first use."""
    python = folder / "bin" / "python"
    if not python.is_file():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        argv = [str(python), "-m", "pip", "install", "--quiet", *PEERS]
        # The peers' versions are their own: our constraints do not hold for them.
        environment = {key: os.environ[key] for key in os.environ if key != "PIP_CONSTRAINT"}
        subprocess.run(argv, check=True, env=environment)
    return python


def _machine() -> str:
    day = time.strftime("%Y-%m-%d")
    return (
        f"{day}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )


if __name__ == "__main__":
    main()
