"""Other Pythons, and environments that a test makes once and keeps in the user's cache."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

_CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "modelcar-tests")
_ANYTHING: Final = ("install", "--dry-run", "--no-deps", "--ignore-installed", "pip")
_RUNNING: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
_SELF: Final = "import sys; print(sys.executable)"


def find_python(version: str) -> str:
    """Return the path of a Python such as 3.12, nothing where there is none."""
    if version == _RUNNING:
        return sys.executable
    program = shutil.which(f"python{version}")
    for chosen in _choices(version) if program else ():
        argv, environment = [program or "", "-c", _SELF], {**os.environ, **chosen}
        said = subprocess.run(argv, env=environment, capture_output=True, text=True)
        if said.returncode == 0:
            return said.stdout.strip()
    return ""


def environment(python: str, *requirements: str, constraints: Path | None = None) -> str:
    """Return the Python of an environment that holds `requirements`.

    It is made once, whichever worker comes first. Skips the test without a package index.
    """
    limits = constraints.read_text(encoding="utf-8") if constraints else ""
    content = json.dumps([python, _version(python), requirements, limits])
    folder = _CACHE / hashlib.sha256(content.encode()).hexdigest()[:16]
    made = folder / "bin" / "python"
    if not made.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        options = ["--constraint", str(constraints)] if constraints else []
        _make(folder, python, *options, *requirements)
    return str(made)


def pip(python: str, *argv: str) -> str:
    """Run this Python's pip for another one, and return what it prints.

    Skips the test without a package index.
    """
    done = _pip(python, *argv)
    if done.returncode and _pip(python, *_ANYTHING).returncode:
        pytest.skip("no package index is reached, from which pip would install")
    assert done.returncode == 0, done.stderr
    return done.stdout


def _pip(python: str, *argv: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--python", python, *argv, "--retries", "2"]
    unset = ("PIP_CONSTRAINT", "PYTHONPATH")
    variables = {name: value for name, value in os.environ.items() if name not in unset}
    return subprocess.run(command, env=variables, capture_output=True, text=True)


def _choices(version: str) -> Iterator[dict[str, str]]:
    """Yield variables with which the program may run: pyenv's refuses a version it was not told."""
    yield {}
    if pyenv := shutil.which("pyenv"):
        listed = subprocess.run([pyenv, "versions", "--bare"], capture_output=True, text=True)
        for name in listed.stdout.split():
            if name.startswith(f"{version}."):
                yield {"PYENV_VERSION": name}


def _version(python: str) -> str:
    argv = [python, "-c", "import sys; print(sys.version)"]
    return subprocess.run(argv, capture_output=True, check=True, text=True).stdout


def _make(folder: Path, python: str, *requirements: str) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as parent:
        new = Path(parent, "environment")
        subprocess.run([python, "-m", "venv", "--without-pip", new], check=True)
        pip(str(new / "bin" / "python"), "install", "--quiet", *requirements)
        try:
            new.rename(folder)
        except OSError:
            if not folder.exists():  # else another was faster
                raise
