"""What a stage installs is all that it needs, and is there for the Python of its image."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.environments import find_python, pip
from tests.pipeline.compiled_file import ROOT, CompiledPipeline

PYTHON = "3.12"
# Wheels for the C library of the image, 2.34, and for those before that wheels are made for.
_PLATFORMS = [*(f"manylinux_2_{n}_x86_64" for n in (34, 28, 17, 12, 5)), "manylinux2014_x86_64"]
_TARGET = ["--python-version", PYTHON, "--implementation", "cp", "--only-binary", ":all:"]


def _sets() -> Iterator[tuple[str, ...]]:
    for path in sorted((ROOT / "compiled").glob("*.yaml")):
        for executor in CompiledPipeline(path).executors.values():
            yield tuple(sorted(executor.requirements))


SETS = sorted({one for one in _sets() if one})


@pytest.fixture(scope="module")
def python() -> str:
    """Return a Python of the stages' version where there is one: pip takes markers from it."""
    return find_python(PYTHON) or sys.executable


def resolved(python: str, folder: Path, *requirements: str) -> set[str]:
    """Return what pip would install there, pinned."""
    options = ["install", "--dry-run", "--quiet", "--ignore-installed", "--report", "-"]
    options += [*_TARGET, "--target", str(folder)]
    options += [word for platform in _PLATFORMS for word in ("--platform", platform)]
    report: dict[str, Any] = json.loads(pip(python, *options, *requirements))
    found = (one["metadata"] for one in report["install"])
    return {f"{canonicalize_name(one['name'])}=={one['version']}" for one in found}


@pytest.mark.parametrize("requirements", SETS, ids=len)
def test_a_stage_installs_all_that_its_packages_need_and_no_more(
    requirements: tuple[str, ...], python: str, tmp_path: Path
) -> None:
    packages = [one for one in requirements if not one.startswith("kfp==")]
    pinned = {one for one in packages if ";" not in one}
    assert resolved(python, tmp_path, *packages) == pinned


def test_kfp_is_there_for_that_python(python: str, tmp_path: Path) -> None:
    kfp = {one for requirements in SETS for one in requirements if one.startswith("kfp==")}
    assert len(kfp) == 1
    assert resolved(python, tmp_path, "--no-deps", *kfp) == kfp


def test_a_package_that_is_missing_is_found(python: str, tmp_path: Path) -> None:
    assert resolved(python, tmp_path, "python-dateutil==2.9.0.post0") > {
        "python-dateutil==2.9.0.post0"
    }
