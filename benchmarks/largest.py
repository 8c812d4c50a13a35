"""A model of 405 billion parameters: how long a plan and an unchanged build take."""

import json
import subprocess
from functools import partial
from pathlib import Path

import urllib3

from benchmarks import shards
from benchmarks.placed import made_up, place
from benchmarks.results import Finding, Outcome, contestants
from benchmarks.runs import Contestant, Runs, in_rounds, tell
from benchmarks.stand import REPO, SOURCE, Stand
from modelcar import catalog, plan
from modelcar.hub import Hub
from modelcar.listing import LARGE
from modelcar.oci import layer
from modelcar.oci.store import MANIFEST
from modelcar.values import KnownLayer, Plan, PlannedLayer
from modelcar.wording import size
from modelcar.workfolder import WorkFolder
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer

SHARDS, SHARD = 191, 4_240_837_696
TENSORS = 6
"""Per shard: Llama 3.1 405B has 1138 in 191."""
OURS, PEER = "measured/modelcar", "measured/peer"
PLAN, UNCHANGED = "modelcar plan", "modelcar build, unchanged"
MOST_SECONDS, MOST_MANIFEST = 2.0, 4 << 20
_NOTE = (
    f"{SHARDS} shards, {size(SHARDS * SHARD)}: listed by the Hub, and sparse files in "
    "docker-registry's storage under made-up digests, which the work folder's journal knows. "
    "oci-modelcar runs with `--clean-hf-after-push`, since it wants free disk for all shards "
    "else, on the image that its own functions made of the same digests."
)


def run(stand: Stand) -> Outcome:
    """List the model, place its layers, build once, and measure the plan and the next builds."""
    with HubServer({REPO: _listing()}) as hub, stand.oci_registry() as server:
        work = stand.empty("work")
        made = plan.make(catalog.find(SOURCE), WorkFolder(work), Hub(hub.url))
        _place(server, WorkFolder(work), made)
        _seed(stand, server, made)
        tell(f"  {len(made.layers)} layers; the first build")
        stand.build(SOURCE, f"{server.host}/{OURS}:1", work, hub.url)
        runs = in_rounds(stand.rounds, _ways(stand, hub.url, server.host, work))
        manifest = _manifest(server)
    return Outcome("405B", _findings(runs, manifest), contestants(runs), _NOTE)


def _listing() -> dict[str, int | bytes]:
    texts = shards.texts(SHARDS, TENSORS)
    small = {name: text.encode() for name, text in texts.items()}
    return {**small, **dict.fromkeys(shards.names(SHARDS), SHARD)}


def _ways(stand: Stand, hub: str, host: str, work: Path) -> dict[str, Contestant]:
    target, spool = f"{host}/{OURS}:1", stand.empty("spool")
    peers = {
        f"oci-modelcar, unchanged, {workers} workers": partial(
            stand.oci_modelcar, hub, f"{host}/{PEER}:1", spool, workers, "--clean-hf-after-push"
        )
        for workers in stand.workers
    }
    ours: dict[str, Contestant] = {
        PLAN: partial(stand.plan, SOURCE, target, work, hub),
        UNCHANGED: partial(stand.build, SOURCE, target, work, hub),
    }
    return ours | peers


def _place(server: DockerRegistry, work: WorkFolder, made: Plan) -> None:
    """Let the OCI registry and the work folder have every large layer of the plan."""
    known = work.layers()
    for item in _large(made):
        key, digest = layer.key(item.files), made_up(item.files[0].path)
        assert key is not None, "the Hub gives every file's checksum"
        known.put(key, KnownLayer(digest, {"BF16": SHARD // 2}))
        place(server.folder / "storage", (OURS, PEER), digest, item.size)


def _large(made: Plan) -> list[PlannedLayer]:
    return [item for item in made.layers if item.size > LARGE]


def _seed(stand: Stand, server: DockerRegistry, made: Plan) -> None:
    """Let the OCI registry have the peer's image of the same layers."""
    layers = {item.files[0].path: item.size for item in _large(made)}
    texts = shards.texts(SHARDS, TENSORS)
    rows = [
        {"path": file.path, "sha256": file.sha256.hex if file.sha256 else None}
        | (
            {"text": texts[file.path]}
            if file.path in texts
            else {"digest": str(made_up(file.path)), "size": layers[file.path]}
        )
        for file in made.files
    ]
    script = Path(__file__).with_name("seed_peer.py")
    argv = [stand.peers.program("python"), str(script), server.host, PEER, "1"]
    subprocess.run(argv, check=True, input=json.dumps(rows), text=True)


def _manifest(server: DockerRegistry) -> int:
    url = f"http://{server.host}/v2/{OURS}/manifests/1"
    answer = urllib3.request("GET", url, headers={"Accept": MANIFEST})
    assert answer.status == 200, answer.data
    return len(answer.data)


def _findings(runs: dict[str, Runs], manifest: int) -> list[Finding]:
    took = [_took(f"405B: {name}", runs[name].seconds) for name in (PLAN, UNCHANGED)]
    aim = f"≤ {MOST_MANIFEST >> 20} MiB"
    return [*took, Finding("405B: manifest", size(manifest), aim, manifest <= MOST_MANIFEST)]


def _took(row: str, seconds: float) -> Finding:
    return Finding(row, f"{seconds:.2f} s", f"≤ {MOST_SECONDS:.0f} s", seconds <= MOST_SECONDS)
