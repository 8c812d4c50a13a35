from pathlib import Path

import pytest

from tests.catalog_files import faults, write


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder of its own, so that faults name files by their relative path."""
    monkeypatch.chdir(tmp_path)


FILE_FAULTS: list[tuple[str | bytes, str]] = [
    ("", "it is empty; write at least its required fields"),
    ("# only a comment\n", "it is empty; write at least its required fields"),
    ("- a\n- b\n", "it is not a mapping; write `field: value` lines"),
    ("just text\n", "it is not a mapping; write `field: value` lines"),
    (
        "name: a: b\n",
        "line 1: it is not YAML: mapping values are not allowed here; "
        "check indentation, quotes and brackets",
    ),
    (
        "name: a\nserving: {gpus: 1\n",
        "line 3: it is not YAML: expected ',' or '}', but got '<stream end>'; "
        "check indentation, quotes and brackets",
    ),
    (
        "name: a\n\tversion: b\n",
        "line 2: it is not YAML: found character '\\t' that cannot start any token; "
        "check indentation, quotes and brackets",
    ),
    (
        "name: a\n---\nname: b\n",
        "line 2: it is not YAML: expected a single document in the stream, "
        "but found another document; check indentation, quotes and brackets",
    ),
    ("name: a\nversion: b\nname: c\n", "line 3: the key 'name' stands twice; remove one"),
    ("a: &x 1\nb: *x\n", "line 1: anchors and aliases are not read; write the value out"),
    (
        "name: !!python/object:os.system x\n",
        "line 1: tags (!…) are not read; write the plain value",
    ),
    ("a: " + "[" * 5000, "line 1: it is nested deeper than 20 levels; check the brackets"),
    (b"name: \xff\xfe\n", "it is not UTF-8 text; save it as UTF-8"),
    ("#" * 70_000, "it is larger than 64 KiB; name the right file"),
    (
        "version: 2024-99-99\n",
        "a value cannot be read: month must be in 1..12; quote it",
    ),
    (
        "name: \x07\n",
        "it is not YAML: unacceptable character #x0007: special characters are not allowed; "
        "check indentation, quotes and brackets",
    ),
]


@pytest.mark.parametrize(
    ("text", "fault"), FILE_FAULTS, ids=[repr(text[:20]) for text, _ in FILE_FAULTS]
)
def test_a_file_that_is_no_plain_mapping_is_refused(text: str | bytes, fault: str) -> None:
    assert faults(write(text)) == [fault]


@pytest.mark.timeout(10)
def test_a_yaml_bomb_is_refused_before_it_goes_off() -> None:
    layers = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 30)]
    path = write("l0: &l0 [lol]\n" + "".join(layers))
    assert faults(path) == ["line 1: anchors and aliases are not read; write the value out"]
