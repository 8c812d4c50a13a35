"""What the tests of `prune` share: versions of a model in a repository, and runs of the verb."""

import json
import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

from modelcar.oci.reference import Repository
from modelcar.oci.registry import OciRepository
from modelcar.values import Digest
from tests.byte_path import modelcar, safetensors, tiny, told, write

UNCHECKED = ("--unchecked-cluster", "--unchecked-model-registry")
BOTH = ("--platform", "linux/amd64", "--platform", "linux/arm64")
Build = Callable[..., str]
Done = subprocess.CompletedProcess[str]


def builder(folder: Path, place: str) -> Build:
    """Return what builds a version, of weights like no other's, and gives its digest."""

    def run(tag: str, *more: str, at: str = place) -> str:
        weights = safetensors(6000 + len(list(folder.glob("model-*"))))
        model = write(folder / f"model-{tag}", tiny(weights=weights))
        argv = ["build", f"file://{model}", "--to", f"{at}:{tag}", "--base", "scratch", "--json"]
        return str(told(modelcar(folder, *argv, *more))["digest"])

    return run


def prune(folder: Path, place: str, *options: str, **environment: str) -> Done:
    """Prune the model `tiny` in one repository."""
    argv = ["prune", "hf://example/tiny", "--at", place, *options]
    return modelcar(folder, *argv, **environment)


def actions(done: Done) -> dict[str, str]:
    """Return what `prune --json` did with each digest."""
    rows = told(done)["images"]
    return {row["reference"].partition("@")[2]: row["action"] for row in rows}


def reasons(done: Done) -> dict[str, str]:
    """Return why `prune --json` did so with each digest."""
    return {row["reference"].partition("@")[2]: row["why"] for row in told(done)["images"]}


def copied(folder: Path, reference: str) -> str:
    """Copy the image with all its layers out of the OCI registry; return what skopeo minds."""
    target = f"dir:{folder}/copy-{secrets.token_hex(4)}"
    argv = ["skopeo", "copy", "--all", "--src-tls-verify=false", f"docker://{reference}", target]
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.stderr if done.returncode else ""


def parts(place: str, index: str) -> list[str]:
    """Return the digests that the index of this tag names."""
    found = _store(place).manifest(index)
    assert found is not None
    return [entry["digest"] for entry in json.loads(found.content)["manifests"]]


def tag(place: str, digest: str, name: str) -> None:
    """Give an image one more tag."""
    found = _store(place).manifest(Digest.parse(digest))
    assert found is not None
    _store(place).put_manifest(found, name)


def _store(place: str) -> OciRepository:
    host, _, path = place.partition("/")
    return OciRepository(Repository(host, path))
