import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.oci import layer
from modelcar.values import Digest, SourceFile

GNU = b"ustar  \0"
LONG = f"{'long-' * 30}{'folder'}/{'x' * 200}.json"
CONTENTS = {
    "config.json": b"{}",
    "1_Pooling/config.json": b'{"pool": 1}',
    "a/b/c/empty": b"",
    "a/block": b"x" * 512,
    "a/block-and-one": b"y" * 513,
    "name with spaces and 'quotes'.txt": b"s",
    "modèle/多言語-🤗.json": "ü".encode(),
    "x" * 100: b"exactly too long below models/",
    LONG: b"long",
    "é" * 120 + "/ü.bin": b"long and not ASCII",
}
FILES = [SourceFile(path, len(content)) for path, content in sorted(CONTENTS.items())]
NAMED = SourceFile("a", 5, Digest("ab" * 32))
KEY = Digest("272a0e320ee778bc0067f393347269d5f0734cd9e3ac3b59f1fbadda5a2cd0d9")


def read(file: SourceFile, offset: int) -> list[bytes]:
    return [CONTENTS[file.path][offset:]]


def tar_of(files: Sequence[SourceFile] = FILES, start: int = 0) -> bytes:
    return b"".join(layer.stream(files, read, start))


def headers(content: bytes) -> Iterator[bytes]:
    """Yield the raw headers, extensions too, as tarfile hides those."""
    offset = 0
    while any(header := content[offset : offset + 512]):
        yield header
        size = int(header[124:135], 8)
        offset += 512 + size + -size % 512


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "layer.tar"
    path.write_bytes(tar_of())
    return path


def run_tar(*arguments: str | Path) -> list[str]:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    options = ["--quoting-style=literal", "--numeric-owner", "--full-time"]
    done = subprocess.run(
        ["tar", *options, *arguments], env=environment, capture_output=True, check=True
    )
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


def test_pythons_tarfile_reads_every_file_back(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        read = {m.name: f.read() for m in members if (f := tar.extractfile(m)) is not None}
    assert read == {f"models/{path}": content for path, content in CONTENTS.items()}
    for member in members:
        assert member.mode == (0o755 if member.isdir() else 0o644)
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert (member.mtime, member.isdir() or member.isreg()) == (0, True)


def test_the_systems_tar_lists_names_modes_owners_and_the_epoch(archive: Path) -> None:
    listed = {line.split(None, 5)[5]: line.split(None, 5)[:5] for line in run_tar("-tvf", archive)}
    epoch = ["1970-01-01", "00:00:00"]
    for path, content in CONTENTS.items():
        assert listed[f"models/{path}"] == ["-rw-r--r--", "0/0", str(len(content)), *epoch]
    folders = {name: rest for name, rest in listed.items() if name.endswith("/")}
    assert len(listed) == len(CONTENTS) + len(folders)
    assert all(rest == ["drwxr-xr-x", "0/0", "0", *epoch] for rest in folders.values())


def test_the_systems_tar_unpacks_what_went_in(archive: Path, tmp_path: Path) -> None:
    run_tar("-xf", archive, "-C", tmp_path)
    for path, content in CONTENTS.items():
        assert (tmp_path / "models" / path).read_bytes() == content


def test_every_folder_stands_once_and_before_what_it_holds() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of())) as tar:
        seen: set[str] = set()
        for member in tar:
            assert member.name not in seen
            assert member.name == "models" or member.name.rpartition("/")[0] in seen
            seen.add(member.name)
    assert {"models", "models/a", "models/a/b", "models/a/b/c", "models/1_Pooling"} < seen


def test_the_headers_are_gnu_tars_and_never_pax() -> None:
    found = list(headers(tar_of()))
    assert {header[257:265] for header in found} == {GNU}
    assert {header[156:157] for header in found} == {b"0", b"5", b"L"}


def test_two_empty_blocks_end_the_tar_and_nothing_is_padded_further() -> None:
    assert layer.size([]) == len(tar_of([])) == 512 + 1024  # the folder models/
    assert tar_of().endswith(bytes(1024))
    assert layer.size([SourceFile("f", 1)]) == 512 + 512 + 512 + 1024


# What path_fault lets through: the paths that reach a layer.
_part = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"),
    min_size=1,
    max_size=60,
).filter(lambda part: part not in (".", ".."))
_path = st.lists(_part, min_size=1, max_size=6).map("/".join)
_files = st.lists(
    st.builds(SourceFile, _path, st.integers(0, 3000)), max_size=5, unique_by=lambda f: f.path
)


@given(_files)
def test_the_size_is_known_before_a_byte_streams(files: list[SourceFile]) -> None:
    content = b"".join(layer.stream(files, lambda file, _: [b"z" * file.size]))
    assert len(content) == layer.size(files)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        found = [(m.name, m.size) for m in tar if m.isreg()]
    assert found == [(f"models/{file.path}", file.size) for file in files]


def test_from_any_offset_on_the_tar_is_the_wholes_tail() -> None:
    files = [SourceFile("a/block", 512), SourceFile("a/empty", 0), SourceFile("z", 513)]
    contents = {"a/block": b"x" * 512, "a/empty": b"", "z": b"y" * 513}

    def tail(start: int) -> bytes:
        read = layer.stream(files, lambda file, offset: [contents[file.path][offset:]], start)
        return b"".join(read)

    whole = tail(0)
    assert len(whole) == layer.size(files)
    for start in range(len(whole) + 1):
        assert tail(start) == whole[start:]


# Two folders and a header come before config.json's two bytes, two blocks less than 2 between.
@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (0, [("config.json", 0), ("a/block", 0)]),
        (1536, [("config.json", 0), ("a/block", 0)]),
        (1537, [("config.json", 1), ("a/block", 0)]),
        (1538, [("a/block", 0)]),
        (2560, [("a/block", 0)]),
        (3071, [("a/block", 511)]),
        (3072, []),
    ],
)
def test_only_what_the_offset_leaves_of_the_files_is_read(
    start: int, expected: list[tuple[str, int]]
) -> None:
    asked: list[tuple[str, int]] = []

    def noted(file: SourceFile, offset: int) -> list[bytes]:
        asked.append((file.path, offset))
        return read(file, offset)

    files = [SourceFile(path, len(CONTENTS[path])) for path in ("config.json", "a/block")]
    assert b"".join(layer.stream(files, noted, start)) == tar_of(files)[start:]
    assert asked == expected


@pytest.mark.parametrize("size", [8 * 2**30 - 1, 8 * 2**30, 9 * 2**30, 2**40])
def test_a_file_that_octal_digits_cannot_hold_keeps_its_size(tmp_path: Path, size: int) -> None:
    file = SourceFile("model.safetensors", size)
    assert layer.size([file]) == 512 + 512 + size + -size % 512 + 1024
    path = tmp_path / "sparse.tar"
    path.write_bytes(b"".join(islice(layer.stream([file], lambda *_: []), 2)))
    os.truncate(path, layer.size([file]))
    with tarfile.open(path) as tar:
        assert tar.getmember("models/model.safetensors").size == size
        assert tar.pax_headers == {}
    listed = run_tar("-tvf", path)[-1].split()
    assert listed[2] == str(size)


def test_the_same_files_give_these_bytes_on_any_machine_on_any_day() -> None:
    # A change here changes the digest of every image: raise layer.RULES with it.
    digest = hashlib.sha256(tar_of()).hexdigest()
    assert layer.RULES == 1
    assert digest == "d12f2e8c83856f7e420b0ebf4e701ad2133da031337099f7d3ebd66fd071cc16"
    assert layer.key([NAMED]) == KEY


@pytest.mark.parametrize(
    "other",
    [
        replace(NAMED, path="b"),
        replace(NAMED, size=6),
        replace(NAMED, sha256=Digest("cd" * 32)),
        replace(NAMED, blob_id="ef" * 20),
    ],
)
def test_the_key_follows_what_the_bytes_follow_from(other: SourceFile) -> None:
    assert layer.key([other]) != layer.key([NAMED])
    assert layer.key([NAMED, other]) not in (layer.key([NAMED]), layer.key([other, NAMED]))


def test_the_key_is_the_same_before_and_after_a_file_of_git_was_read() -> None:
    listed = SourceFile("config.json", 2, None, "ef" * 20)
    read = replace(listed, sha256=Digest("ab" * 32))
    assert layer.key([listed]) == layer.key([read]) is not None


def test_no_key_while_a_checksum_is_unknown() -> None:
    assert layer.key([NAMED, SourceFile("b", 1)]) is None
