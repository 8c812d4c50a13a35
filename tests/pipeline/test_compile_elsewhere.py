"""Compiling on another Python, at another hour and from older files gives the same bytes."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.environments import environment, find_python
from tests.pipeline.compiled_file import ROOT

pytestmark = pytest.mark.timeout(900)  # the first time, packages are installed

LEFT_OUT = (".*", "__pycache__", "benchmarks", "compiled", "docs", "tests")
LONG_AGO = 631_152_000  # the year 1990
ELSEWHERE = {
    "LC_ALL": "C",
    "PYTHONHASHSEED": "3",
    "SOURCE_DATE_EPOCH": "1",
    "TZ": "Pacific/Kiritimati",
}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the sources that no one has touched for long."""
    root = tmp_path_factory.mktemp("old") / "sources"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for path in [root, *root.rglob("*")]:
        os.utime(path, (LONG_AGO, LONG_AGO))
    return root


def able(version: str) -> str:
    """Return a Python of that version which has what compiling needs."""
    python = find_python(version)
    if python in ("", sys.executable):
        return python or pytest.skip(f"no Python {version} is found by python{version} or pyenv")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["kfp"]]
    return environment(python, *needed, constraints=ROOT / "constraints.txt")


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.yaml")}


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_the_shipped_files_are_what_another_python_compiles(
    version: str, old: Path, tmp_path: Path
) -> None:
    path = os.pathsep.join((str(old), str(old / "src")))
    done = subprocess.run(
        [able(version), "-B", "-m", "scripts.compile", "--out", tmp_path / "out"],
        env={**os.environ, **ELSEWHERE, "PYTHONPATH": path},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    made, shipped = files(tmp_path / "out"), files(ROOT / "compiled")
    assert made.keys() == shipped.keys()
    assert [name for name in made if made[name] != shipped[name]] == []
