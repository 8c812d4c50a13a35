import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from modelcar import folder
from modelcar.checksums import verify
from modelcar.errors import SourceError
from modelcar.stamps import CheckedFiles
from modelcar.values import SourceFile

NOBODY = 65534


@pytest.fixture
def known(tmp_path: Path) -> CheckedFiles:
    return CheckedFiles(tmp_path / "known.jsonl")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    root = tmp_path / "model"
    for name in ("b.json", "a/z.bin", "a.bin", ".hidden"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_every_file_is_listed_in_order_with_its_size(model: Path, known: CheckedFiles) -> None:
    found = folder.listing(model, known)
    names = (".hidden", "a/z.bin", "a.bin", "b.json")
    assert found == tuple(SourceFile(name, len(name)) for name in names)
    assert folder.read(model, "a/z.bin") == "a/z.bin"


def test_a_checksum_shows_once_the_file_was_read(model: Path, known: CheckedFiles) -> None:
    (listed,) = (file for file in folder.listing(model, known) if file.path == "b.json")
    verified = verify(listed, model / "b.json", known)
    assert verified.sha256 is not None
    assert verified in folder.listing(model, known)
    (model / "b.json").write_text("changed")
    assert SourceFile("b.json", 7) in folder.listing(model, known)


def test_links_lead_to_files_and_not_into_folders(
    model: Path, tmp_path: Path, known: CheckedFiles
) -> None:
    (tmp_path / "blob").write_text("blob!")
    (model / "linked.bin").symlink_to(tmp_path / "blob")
    (model / "around").symlink_to(model, target_is_directory=True)
    paths = {file.path: file.size for file in folder.listing(model, known)}
    assert paths.pop("linked.bin") == 5
    assert set(paths) == {".hidden", "a/z.bin", "a.bin", "b.json"}


def test_a_broken_link_and_a_pipe_are_refused(model: Path, known: CheckedFiles) -> None:
    for make in (lambda path: path.symlink_to("absent"), os.mkfifo):
        make(model / "odd")
        with pytest.raises(SourceError, match="/odd: it is a broken link or no regular file"):
            folder.listing(model, known)
        (model / "odd").unlink()


@pytest.mark.parametrize("name", ["absent", "a.bin"])
def test_what_is_no_folder_is_refused(model: Path, known: CheckedFiles, name: str) -> None:
    with pytest.raises(SourceError, match="there is no such folder; name an existing folder"):
        folder.listing(model / name, known)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Give up root's right to read everything."""
    before = os.geteuid()
    if before != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_folder_that_may_not_be_read_is_refused_not_left_out(
    model: Path, known: CheckedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)  # above it nobody may look
    model.parent.chmod(0o755)
    (model / "a").chmod(0)
    with unprivileged(), pytest.raises(SourceError, match=r"/a: .*; give the right to read it"):
        folder.listing(Path("model"), known)
    (model / "a").chmod(0o755)
