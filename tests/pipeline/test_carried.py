"""Code that one task leaves on the volume and another finds there, as what stands in the tasks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from components._carried import FOLDER, SHARING, Carried, source_of
from components._embedding import archive
from tests.pipeline.test_embedding import source

USE = "from modelcar.first import word\nprint(word)"


@pytest.fixture
def own(tmp_path: Path) -> Carried:
    root = source(tmp_path / "source", {})
    return Carried(archive(root, {"modelcar": "", "modelcar.first": "word = 'said'\n"}))


def run(folder: Path, *code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, FOLDER: str(folder), "PYTHONPATH": ""}
    argv = [sys.executable, "-I", "-c", "".join(code)]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, cwd=folder.parent)


def leave(folder: Path, own: Carried) -> subprocess.CompletedProcess[str]:
    return run(folder, own.unpacked(), own.left(), own.started(), USE)


def test_what_is_left_is_found_and_used(tmp_path: Path, own: Carried) -> None:
    folder = tmp_path / "volume" / "code"
    (tmp_path / "volume").mkdir()
    for _ in range(2):  # it may be there already
        assert leave(folder, own).stdout == "said\n"
    (path,) = folder.iterdir()
    assert (path.name, path.stat().st_mode & 0o777) == (own.sha256, 0o644)
    assert run(folder, own.found(), own.started(), USE).stdout == "said\n"


@pytest.mark.parametrize("content", [None, b"", b"print('somebody else')"])
def test_nothing_else_is_run(tmp_path: Path, own: Carried, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / own.sha256).write_bytes(content)
    done = run(tmp_path, own.found(), own.started(), USE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"{tmp_path / own.sha256}: the code that an earlier task left is not there; "
        "start a new run\n"
    )


def test_a_volume_that_takes_nothing_is_told_and_the_task_goes_on(
    tmp_path: Path, own: Carried
) -> None:
    folder = tmp_path / "file"
    folder.touch()
    done = leave(folder, own)
    assert (done.returncode, done.stdout) == (0, "said\n")
    assert done.stderr.startswith("code on the volume: ")


@pytest.mark.parametrize("stage", SHARING)
def test_what_shares_an_archive_is_a_stage(stage: str) -> None:
    assert f"def {stage}(" in source_of(stage)
