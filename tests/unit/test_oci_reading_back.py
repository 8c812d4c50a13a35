import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.oci import layer
from modelcar.oci.reading_back import matches
from modelcar.values import Digest, SourceFile


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "U8", "shape": [600], "data_offsets": [0, 600]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(range(200)) * 3


CONTENTS = {
    "a/config.json": b"{}",
    "a/empty": b"",
    "b/block": b"x" * 512,
    "model.safetensors": safetensors(),
    f"{'long-' * 30}.json": b"long",
}


def listed(path: str) -> SourceFile:
    """Return the file as the Hub lists it: git's blob id, or the sha256 of one in LFS."""
    content = CONTENTS[path]
    if path.endswith(".safetensors"):
        return SourceFile(path, len(content), Digest(hashlib.sha256(content).hexdigest()))
    named = hashlib.sha1(b"blob %d\0" % len(content) + content)
    return SourceFile(path, len(content), None, named.hexdigest())


FILES = tuple(map(listed, sorted(CONTENTS)))
TAR = b"".join(layer.stream(FILES, lambda file, start: [CONTENTS[file.path][start:]]))


def blocks(sizes: Sequence[int], content: bytes = TAR) -> Iterator[bytes]:
    """Yield `content` in blocks of these sizes, again and again."""
    while content:
        for size in sizes:
            yield content[:size]
            content = content[size:]


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=8).filter(any))
def test_a_layer_matches_its_files_whatever_its_blocks(sizes: list[int]) -> None:
    assert matches(FILES, blocks(sizes))


def test_any_changed_byte_is_a_difference() -> None:
    for at in range(len(TAR)):
        changed = TAR[:at] + bytes([TAR[at] ^ 1]) + TAR[at + 1 :]
        assert not matches(FILES, [changed]), at


def test_fewer_bytes_or_more_are_a_difference() -> None:
    for stop in range(0, len(TAR), 13):
        assert not matches(FILES, blocks([997], TAR[:stop])), stop
    for more in ([b"\0"], [b"", bytes(512)]):
        assert not matches(FILES, [TAR, *more])
    assert matches(FILES, [TAR, b"", b""])


def test_nothing_of_other_files_matches() -> None:
    other = replace(FILES[0], blob_id="0" * 40)
    assert not matches([other, *FILES[1:]], [TAR])
    assert not matches(FILES[::-1], [TAR])
    assert not matches(FILES[1:], [TAR])


def test_both_checksums_count_where_both_are_known() -> None:
    known = replace(FILES[0], sha256=Digest(hashlib.sha256(b"{}").hexdigest()))
    wrong = replace(FILES[0], sha256=Digest("0" * 64))
    assert FILES[0].path == "a/config.json"
    assert matches([known, *FILES[1:]], [TAR])
    assert not matches([wrong, *FILES[1:]], [TAR])


def test_a_file_without_a_checksum_matches_nothing() -> None:
    unknown = SourceFile("a", 0)
    tar = b"".join(layer.stream([unknown], lambda *_: []))
    assert not matches([unknown], [tar])


@pytest.mark.parametrize(("at", "most"), [(0, 1), (512, 2), (1100, 3)])
def test_reading_stops_where_a_header_differs(at: int, most: int) -> None:
    changed = TAR[:at] + b"?" + TAR[at + 1 :]
    taken: list[bytes] = []

    def noted() -> Iterator[bytes]:
        for block in blocks([512], changed):
            taken.append(block)
            yield block

    assert not matches(FILES, noted())
    assert len(taken) <= most


def test_a_fault_of_the_store_at_the_end_is_seen() -> None:
    def failing() -> Iterator[bytes]:
        yield TAR
        raise OSError("its digest is another")

    with pytest.raises(OSError, match="its digest is another"):
        matches(FILES, failing())
