"""Whether there is room for a download."""

import shutil
from pathlib import Path

import pytest

from modelcar import room
from modelcar.errors import SourceError
from modelcar.values import Digest, SourceFile
from modelcar.workfolder import WorkFolder


def test_what_fits_passes_also_into_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    room.require(WorkFolder(tmp_path / "not" / "yet"), 1000, ())


def test_what_does_not_fit_says_how_much_is_missing(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(SourceError) as caught:
        room.require(WorkFolder(tmp_path), free * 2, ())
    assert f"work folder {tmp_path}: " in str(caught.value)
    assert "are still to be downloaded, and " in str(caught.value)
    assert caught.value.remedy.startswith("free space there, take a larger volume claim")


def test_what_a_killed_run_left_of_a_file_counts_as_there(tmp_path: Path) -> None:
    work = WorkFolder(tmp_path)
    size = shutil.disk_usage(tmp_path).free + (1 << 40)
    file = SourceFile("model.safetensors", size, Digest("a" * 64))
    with pytest.raises(SourceError):
        room.require(work, size, [file])
    part = work.partial(file)
    part.parent.mkdir(parents=True)
    with part.open("wb") as stream:
        stream.truncate(size - 1)  # sparse: it takes no room
    room.require(work, size, [file])
