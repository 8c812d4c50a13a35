import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from itertools import repeat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.checksums import BLOCK, Check, blocks, verify
from modelcar.errors import SourceError, VerificationError
from modelcar.stamps import CheckedFiles, Stamp, Sums
from modelcar.values import Digest, SourceFile

CONTENT = b"weights"


def sha256(content: bytes) -> Digest:
    return Digest(hashlib.sha256(content).hexdigest())


def blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


LFS = SourceFile("model.bin", len(CONTENT), sha256(CONTENT))
GIT = SourceFile("config.json", len(CONTENT), None, blob_id(CONTENT))
LOCAL = SourceFile("local.bin", len(CONTENT))
WRONG = [
    (replace(LFS, size=8), "it has only 7 of the 8 bytes listed"),
    (replace(LFS, size=6), "it has more than the 6 bytes listed"),
    (replace(LFS, size=0), "it has more than the 0 bytes listed"),
    (replace(LFS, sha256=sha256(b"")), f"its sha256 is {sha256(CONTENT)}, not {sha256(b'')}"),
    (replace(GIT, blob_id="ab" * 20), f"its git blob id is {blob_id(CONTENT)}, not {'ab' * 20}"),
    (replace(GIT, sha256=sha256(b"")), "its sha256 is"),
    (replace(LFS, blob_id="ab" * 20), "its git blob id is"),
]


@pytest.fixture
def known(tmp_path: Path) -> CheckedFiles:
    return CheckedFiles(tmp_path / "known" / "files.jsonl")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


def overwrite_unseen(path: Path, content: bytes) -> None:
    """Write in place and set the clock back: the stamp stays as it was."""
    stamp = Stamp.of(path)
    with path.open("rb+") as stream:
        stream.write(content)
    os.utime(path, ns=(stamp.mtime_ns, stamp.mtime_ns))
    assert Stamp.of(path) == stamp


def test_gits_blob_id_is_the_one_that_git_computes(path: Path, known: CheckedFiles) -> None:
    # `printf weights | git hash-object --stdin`
    assert blob_id(CONTENT) == "3ab313fff6f41bb35969cd359e9ddfb8033b3ac2"
    assert verify(GIT, path, known) == replace(GIT, sha256=sha256(CONTENT))


@pytest.mark.parametrize("file", [LFS, GIT, LOCAL])
def test_content_that_is_right_passes_unchanged(file: SourceFile) -> None:
    check = Check(file)
    assert b"".join(check.follow([b"wei", b"", b"ghts"])) == CONTENT
    assert check.sums == Sums(sha256(CONTENT), file.blob_id)


@given(st.binary(max_size=50), st.lists(st.integers(0, 50)))
def test_how_the_content_is_cut_does_not_matter(content: bytes, cuts: list[int]) -> None:
    bounds = sorted({0, *cuts, len(content)})
    pieces = [content[a:b] for a, b in zip(bounds, [*bounds[1:], len(content)], strict=True)]
    file = SourceFile("x", len(content), sha256(content), blob_id(content))
    assert b"".join(Check(file).follow(pieces)) == content


@pytest.mark.parametrize(("file", "why"), WRONG, ids=[why for _, why in WRONG])
def test_content_that_is_wrong_is_refused_and_not_remembered(
    file: SourceFile, why: str, path: Path, known: CheckedFiles
) -> None:
    with pytest.raises(VerificationError, match=why):
        list(Check(file).follow([CONTENT]))
    with pytest.raises(VerificationError, match=f"{file.path}: {why}.*download again"):
        verify(file, path, known)
    assert known.get(path) is None


def test_no_byte_beyond_the_listed_size_is_passed_on() -> None:
    passed: list[bytes] = []
    with pytest.raises(VerificationError, match="it has more than the 7 bytes listed"):
        for block in Check(LOCAL).follow(repeat(b"xyz", 100)):
            passed.append(block)
    assert passed == [b"xyz", b"xyz"]


def test_an_untouched_file_is_not_read_again(path: Path, tmp_path: Path) -> None:
    journal = tmp_path / "files.jsonl"
    expected = verify(LFS, path, CheckedFiles(journal))
    # Nobody who reads it now could take it for what it was.
    overwrite_unseen(path, b"WEIGHTS")
    assert verify(LFS, path, CheckedFiles(journal)) == expected
    os.utime(path)
    with pytest.raises(VerificationError, match="its sha256 is"):
        verify(LFS, path, CheckedFiles(journal))


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def grow(path: Path) -> None:
    path.write_bytes(CONTENT + b"!")


def swap(path: Path) -> None:
    stamp = Stamp.of(path)
    other = path.with_name("other")
    other.write_bytes(b"WEIGHTS")
    os.utime(other, ns=(stamp.mtime_ns, stamp.mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [touch, grow, swap, Path.unlink])
def test_a_changed_file_is_no_longer_known(
    change: Callable[[Path], None], path: Path, known: CheckedFiles
) -> None:
    verify(LFS, path, known)
    assert known.get(path) == Sums(sha256(CONTENT))
    change(path)
    assert known.get(path) is None
    assert not known.matches(LFS, path)


@pytest.mark.parametrize(
    ("file", "matches"),
    [
        (LFS, True),
        (LOCAL, True),
        (replace(LFS, size=8), False),
        (replace(LFS, sha256=sha256(b"")), False),
        (GIT, False),  # its blob id was never computed
    ],
)
def test_a_known_file_is_compared_with_the_listing_without_reading(
    file: SourceFile, matches: bool, path: Path, known: CheckedFiles
) -> None:
    verify(LFS, path, known)
    assert known.matches(file, path) is matches


def test_a_checksum_that_is_asked_for_later_is_computed_then(
    path: Path, known: CheckedFiles
) -> None:
    verify(LOCAL, path, known)
    verify(GIT, path, known)
    assert known.get(path) == Sums(sha256(CONTENT), GIT.blob_id)


def test_what_is_known_already_is_not_written_again(path: Path, tmp_path: Path) -> None:
    journal = tmp_path / "files.jsonl"
    for _ in range(3):
        verify(LFS, path, CheckedFiles(journal))
    assert len(journal.read_bytes().splitlines()) == 1


def test_a_file_that_is_not_there_is_an_error_of_ours(tmp_path: Path, known: CheckedFiles) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(VerificationError, match=r"it is not at .*; run the download again"):
        verify(LFS, absent, known)
    with pytest.raises(SourceError, match=r"reading .*; check its rights and the disk"):
        list(blocks(absent))


def test_blocks_are_a_mebibyte_at_most(path: Path) -> None:
    path.write_bytes(bytes(BLOCK + 1))
    assert [len(block) for block in blocks(path)] == [BLOCK, 1]
