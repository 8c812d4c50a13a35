"""Where the contests are held: folders, an OCI registry, and how each contestant is begun."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import shards
from benchmarks.measure import Measured, measure
from benchmarks.peers import Peers
from tests.servers import busybox_base
from tests.servers.docker_registry import DockerRegistry

MODELCAR: Final = str(Path(sys.executable).parent / "modelcar")
REPO: Final = "measured/model"
SOURCE: Final = f"hf://{REPO}"
PASSING: Final = (
    *("base", "changed", "home", "layout", "oci-registry"),
    *("sparse", "spool", "work", "work-2"),
)
"""The folders that contests make anew, each for itself."""


@dataclass(frozen=True, slots=True)
class Stand:
    """The folder that all is in, and how large the contests are."""

    folder: Path
    peers: Peers
    rounds: int
    shards: int
    shard_bytes: int
    workers: tuple[int, ...]
    """Worker counts of oci-modelcar; the best one counts."""
    layer_bytes: tuple[int, ...]
    """Sizes of the layers whose memory is measured."""

    def model(self) -> Path:
        """Return a folder with a model of random bytes, made on first use."""
        folder = self.folder / f"model-{self.shards}-{self.shard_bytes >> 20}"
        if not (folder / "README.md").is_file():
            shards.write(folder, self.shards, self.shard_bytes)
        return folder

    def note(self, rounds: int = 1) -> str:
        """Return the model and the number of rounds in words."""
        often = "once" if rounds == 1 else f"{rounds} rounds; seconds are medians, else the most"
        return f"{self.shards} shards of {self.shard_bytes >> 20} MiB; {often}."

    def empty(self, name: str) -> Path:
        """Return an empty folder."""
        assert name in PASSING, name
        shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / name).mkdir(parents=True)
        return self.folder / name

    def clear(self) -> None:
        """Remove what the contests left; the model and the peers' environment stay."""
        for name in PASSING:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def oci_registry(self) -> DockerRegistry:
        """Return an empty OCI registry; what the one before stored goes with this."""
        return DockerRegistry(self.empty("oci-registry"))

    def home(self) -> Path:
        """Return an empty home for one process."""
        return self.empty("home")

    def build(
        self,
        source: str,
        target: str,
        work: Path,
        hub: str = "",
        options: Sequence[str] = (),
        file_limit: int = 0,
    ) -> Measured:
        """Build and push with modelcar."""
        base = busybox_base.make(self.folder / "base")
        argv = [MODELCAR, "build", source, "--to", target, "--base", str(base), "--json"]
        argv += ["--workdir", str(work), *options]
        return measure(argv, self.home(), file_limit=file_limit, HF_ENDPOINT=hub)

    def plan(self, source: str, target: str, work: Path, hub: str) -> Measured:
        """Plan with modelcar."""
        argv = [MODELCAR, "plan", source, "--to", target, "--json", "--workdir", str(work)]
        return measure(argv, self.home(), HF_ENDPOINT=hub)

    def oci_modelcar(
        self, hub: str, target: str, spool: Path, workers: int, *options: str
    ) -> Measured:
        """Push from the Hub with oci-modelcar; `target` is host/repository:tag."""
        name, _, tag = target.rpartition(":")
        host, _, repository = name.partition("/")
        argv = [self.peers.program("oci-modelcar"), "push", "--quiet", "--hf-repo", REPO]
        argv += ["--hf-endpoint", hub, "--registry", f"http://{host}", "--target-tag", tag]
        argv += ["--target-repo", repository, "--workers", str(workers), *options]
        return measure([*argv, "--spool-dir", str(spool)], self.home())

    def olot(self, host: str) -> Measured:
        """Build a layout with olot from the model's folder, and copy it with skopeo."""
        from benchmarks.layouts import with_history

        layout = self.empty("layout")
        with_history(layout)
        script = str(Path(__file__).with_name("olot_skopeo.py"))
        argv = [self.peers.program("python"), script, str(self.model()), str(layout)]
        return measure([*argv, f"{host}/measured/olot:1"], self.home())
