"""What each task of the shipped pipeline takes, against what it asks of its node."""

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from unittest.mock import patch

from kubernetes.utils import parse_quantity

from benchmarks.measure import Measured, measure
from benchmarks.results import Finding, Outcome, Table
from benchmarks.runs import tell
from benchmarks.stand import REPO, Stand
from modelcar.wording import size
from tests.pipeline import host_runner
from tests.pipeline.compiled_file import OVERLAPPED, SHIPPED, CompiledPipeline
from tests.servers import busybox_base
from tests.servers.hub import HubServer
from tests.servers.model_registry import ModelRegistryServer

_NOTE = (
    "of the pipeline's tasks as processes here, with KFP's executor and pip's look at what is "
    "installed; pip's downloads, KFP's launcher and a wait for a rollout come on top in a pod."
)


def run(stand: Stand) -> Outcome:
    """Run both pipelines once, each into an OCI registry of its own."""
    found: dict[str, Measured] = {}
    for file in (SHIPPED, OVERLAPPED):
        tell(f"  {file.stem}")
        found = {**_run(stand, file), **found}
    asked = {**_asked(OVERLAPPED), **_asked(SHIPPED)}
    rows = [_row(name, took, asked[name]) for name, took in found.items()]
    header = ("task", "seconds", "CPU seconds", "peak memory", "asked for", "at most")
    findings = [_finding(name, took, asked[name][0]) for name, took in found.items()]
    return Outcome("Tasks", findings, Table(header, rows), f"{stand.note()} {_NOTE}")


def _run(stand: Stand, file: Path) -> dict[str, Measured]:
    work, home = stand.empty("work"), stand.home()
    took: dict[str, Measured] = {}
    process = partial(_process, took, home)
    with (
        HubServer({REPO: stand.model()}) as hub,
        stand.oci_registry() as oci_registry,
        ModelRegistryServer() as model_registry,
        patch.object(host_runner._Tasks, "_process", lambda _, *given: process(*given)),
    ):
        done = host_runner.run(
            file,
            host_runner.Cluster(home / "cluster"),
            "measured",
            hf_repo=REPO,
            hf_endpoint=hub.url,
            model_name="model",
            registry=f"{oci_registry.host}/measured",
            mirror_to=f"{oci_registry.host}/mirror",
            model_registry_url=model_registry.url,
            base_image=str(busybox_base.make(stand.folder / "base")),
            deploy_model="false",
            workdir=str(work),
        )
    assert done.succeeded, done.log[-2000:]
    shutil.rmtree(work)
    return took


def _process(
    took: dict[str, Measured], home: Path, argv: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, str]:
    name = argv[-1] if "--function_to_execute" in argv else "mirror"
    measured = measure(argv, home, file_limit=0, **environment)
    took.setdefault(name, measured)
    return 0, measured.said


def _asked(file: Path) -> dict[str, tuple[int, int]]:
    """Return each task's memory request and limit, in bytes."""
    executors = CompiledPipeline(file).executors.items()
    resources = {name: executor.container["resources"] for name, executor in executors}
    return {
        name: (_bytes(one["resourceMemoryRequest"]), _bytes(one["resourceMemoryLimit"]))
        for name, one in resources.items()
    }


def _bytes(quantity: str) -> int:
    return int(parse_quantity(quantity))


def _row(name: str, took: Measured, asked: tuple[int, int]) -> Sequence[str]:
    figures = (f"{took.seconds:.2f}", f"{took.cpu:.2f}", size(took.peak))
    return (name, *figures, size(asked[0]), size(asked[1]))


def _finding(name: str, took: Measured, request: int) -> Finding:
    met = took.peak <= request
    return Finding(f"task {name}, memory", size(took.peak), f"≤ {size(request)}", met)
