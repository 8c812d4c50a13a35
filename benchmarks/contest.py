"""Who runs, and how one run is measured: seconds, peak memory, on a fresh OCI registry."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.layouts import with_history
from tests.servers import busybox_base
from tests.servers.docker_registry import DockerRegistry

MODELCAR = str(Path(sys.executable).parent / "modelcar")
REPO = "measured/model"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one process: wall-clock seconds, and its largest resident set in bytes."""

    seconds: float
    peak: int


@dataclass(slots=True)
class Runs:
    """All runs of one contestant."""

    measured: list[Measured] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(run.seconds for run in self.measured)

    @property
    def peak(self) -> int:
        """The largest resident set of any run, in bytes."""
        return max(run.peak for run in self.measured)


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a contest is held: the model, the Hub that serves it, the peers' Python."""

    folder: Path
    model: Path
    hub: str
    peers: Path
    workers: int = 4

    def oci_registry(self) -> DockerRegistry:
        """Return an empty OCI registry; the one before is removed."""
        shutil.rmtree(self.folder / "oci-registry", ignore_errors=True)
        return DockerRegistry(self.folder / "oci-registry")

    def empty(self, name: str) -> Path:
        """Return an empty folder."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / name).mkdir(parents=True)
        return self.folder / name

    def from_disk(self, host: str) -> Measured:
        """Build and push the folder with modelcar."""
        return self._modelcar(f"file://{self.model}", host, self.empty("work"))

    def from_hub(self, host: str) -> Measured:
        """Build and push from the Hub with modelcar."""
        return self._modelcar(f"hf://{REPO}", host, self.empty("work"))

    def again(self, host: str) -> Measured:
        """Build and push once more what stands already."""
        return self._modelcar(f"hf://{REPO}", host, self.folder / "work")

    def bare(self, host: str) -> Measured:
        """Send the ready-made files with the two sums, nothing else."""
        files = [str(path) for path in sorted(self.model.glob("*.safetensors"))]
        argv = [sys.executable, "-m", "benchmarks.bare", host, "measured/bare"]
        return measure([*argv, str(self.workers), *files])

    def olot(self, host: str) -> Measured:
        """Build a layout with olot and copy it with skopeo."""
        layout = self.empty("layout")
        with_history(layout)
        script = str(Path(__file__).with_name("olot_skopeo.py"))
        argv = [str(self.peers), script, str(self.model), str(layout)]
        return measure([*argv, f"{host}/measured/olot:1"])

    def oci_modelcar(self, host: str, workers: int, spool: Path) -> Measured:
        """Push from the Hub with oci-modelcar."""
        argv = [str(self.peers.parent / "oci-modelcar"), "push", "--quiet", "--hf-repo", REPO]
        argv += ["--hf-endpoint", self.hub, "--registry", f"http://{host}"]
        argv += ["--target-repo", "measured/peer", "--target-tag", "1"]
        return measure([*argv, "--workers", str(workers), "--spool-dir", str(spool)])

    def _modelcar(self, model: str, host: str, work: Path) -> Measured:
        base = busybox_base.make(self.folder / "base")
        argv = [MODELCAR, "build", model, "--to", f"{host}/measured/modelcar:1"]
        argv += ["--base", str(base), "--workdir", str(work)]
        return measure(argv, HF_ENDPOINT=self.hub)


def measure(argv: Sequence[str], **environment: str) -> Measured:
    """Run a process to its end and measure it; raise CalledProcessError when it fails."""
    began = time.monotonic()
    process = subprocess.Popen(
        argv,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, argv[:2], said[-2000:])
    return Measured(time.monotonic() - began, _bytes(usage))


def _bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
