"""A model of which one file changed: which bytes move then."""

from pathlib import Path

from benchmarks import shards
from benchmarks.relay import Relay
from benchmarks.results import Finding, Outcome, Table
from benchmarks.scene import HEADER, Moved, Scene, open_hub
from benchmarks.stand import Stand
from modelcar.wording import size

SLACK = 1 << 20
"""Bytes: listings, small files, the config, the manifest and HTTP's own lines are below this."""
SHARD, README, TOKENIZER = "shard", "readme", "tokenizer"
_SMALL = {README: "README.md", TOKENIZER: "tokenizer.json"}


def run(stand: Stand) -> Outcome:
    """Build a model, then each of its changes; then build it with everything here lost."""
    parent = stand.empty("changed")
    revisions = {name: _revision(stand, parent, name) for name in (SHARD, *_SMALL)}
    with (
        open_hub(stand, revisions) as hub,
        stand.oci_registry() as server,
        Relay(server.port) as relay,
    ):
        scene = Scene(stand, hub, relay)
        ours, rows = _ours(scene, ["main", *revisions])
        rows += _lost(scene)
        rows += _theirs(scene, ["main", *revisions, "main"])
    return Outcome("Changed", _findings(stand, ours), Table(HEADER, rows), stand.note())


def _revision(stand: Stand, parent: Path, name: str) -> Path:
    """Make a folder with the model's files but for one; the last shard keeps its size."""
    folder, model = parent / name, stand.model()
    folder.mkdir()
    for path in model.iterdir():
        (folder / path.name).symlink_to(path)
    changed = folder / _SMALL.get(name, _last(stand))
    changed.unlink()
    if name == SHARD:
        shards.write_shard(changed, f"layer.{stand.shards - 1}.weight", stand.shard_bytes, seed=0)
    else:
        changed.write_bytes((model / changed.name).read_bytes() + b"\n")
    return folder


def _last(stand: Stand) -> str:
    return max(path.name for path in stand.model().glob("*.safetensors"))


def _ours(scene: Scene, revisions: list[str]) -> tuple[dict[str, Moved], list[tuple[str, ...]]]:
    work = scene.stand.empty("work")
    found = {revision: scene.build(revision, work) for revision in revisions}
    return found, [found[name].row("modelcar", _words(name)) for name in found]


def _lost(scene: Scene) -> list[tuple[str, ...]]:
    what = "nothing; the work folder is lost"
    rows = []
    for options in ((), ("--trust-target",)):
        moved = scene.build("main", scene.stand.empty("work"), *options)
        rows.append(moved.row(" ".join(("modelcar", *options)), what))
    return rows


def _theirs(scene: Scene, revisions: list[str]) -> list[tuple[str, ...]]:
    rows = [scene.push(name).row("oci-modelcar, empty spool", _words(name)) for name in revisions]
    again = ("oci-modelcar, empty spool", "nothing; the spool is lost", *rows[-1][2:])
    return [*rows[:-1], again]


def _words(revision: str) -> str:
    return {"main": "all, at first", SHARD: "one shard"}.get(revision, revision)


def _findings(stand: Stand, ours: dict[str, Moved]) -> list[Finding]:
    last = _last(stand)
    shard, bytes_ = ours[SHARD], (stand.model() / last).stat().st_size
    alone = shard.weights == {last: bytes_} and bytes_ < shard.sent < bytes_ + SLACK
    found = [_finding(f"one of {stand.shards} shards changed", shard, "that shard alone", alone)]
    for name in _SMALL:
        still = not ours[name].weights and ours[name].sent < SLACK
        found.append(_finding(f"{_SMALL[name]} changed", ours[name], "no weight byte", still))
    return found


def _finding(row: str, moved: Moved, aim: str, met: bool) -> Finding:
    weights = ", ".join(f"{size(count)} of {name}" for name, count in moved.weights.items())
    found = f"{weights or '0 weight bytes'} from the Hub; {size(moved.sent)} sent in all"
    return Finding(row, found, aim, met)
