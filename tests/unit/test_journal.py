from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar import journal
from tests.processes import at_once


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folder" / "journal.jsonl"


def test_rows_come_back_oldest_first(path: Path) -> None:
    rows: list[dict[str, Any]] = [{"n": 1}, {"text": "ü\n\u2028\x00"}, {"n": [1, None, {"a": 2.5}]}]
    for row in rows:
        journal.append(path, row)
    assert list(journal.rows(path)) == rows


def test_no_file_means_no_rows(path: Path) -> None:
    assert list(journal.rows(path)) == []


@pytest.mark.parametrize("kept", range(1, len('{"n":2}') + 1))
def test_a_torn_last_line_is_lost_and_takes_nothing_with_it(
    path: Path, kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    journal.append(path, {"n": 1})
    whole = path.stat().st_size
    journal.append(path, {"n": 2})
    with path.open("rb+") as stream:
        stream.truncate(whole + kept)
    journal.append(path, {"n": 3})
    lost = kept < len('{"n":2}')
    assert [row["n"] for row in journal.rows(path)] == ([1, 3] if lost else [1, 2, 3])
    assert caplog.messages == ([f"{path}: line 2 is torn and was passed over"] if lost else [])


@pytest.mark.parametrize(
    "garbage",
    [
        b"{",
        b"null",
        b"42",
        b'"text"',
        b'[{"n": 2}]',
        b"\x00" * 4096,
        b"\xff\xfe\x00",
        b'{"n": 2}{"n": 2}',
        b"[" * 100_000,
        b"\r",
        b"",
    ],
)
def test_garbage_is_passed_over(path: Path, garbage: bytes) -> None:
    journal.append(path, {"n": 1})
    with path.open("ab") as stream:
        stream.write(garbage + b"\n")
    journal.append(path, {"n": 3})
    assert list(journal.rows(path)) == [{"n": 1}, {"n": 3}]


@given(st.binary(max_size=200))
def test_no_content_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("journal") / "x"
    path.write_bytes(content)
    before = list(journal.rows(path))
    journal.append(path, {"n": 1})
    assert list(journal.rows(path)) == [*before, {"n": 1}]


PREPARE = """
from pathlib import Path
from modelcar import journal
place, name = sys.argv[1].split("|")
"""
WORK = """
for number in range(200):
    journal.append(Path(place), {"name": name, "n": number, "filler": name * 1000})
"""


def test_rows_of_processes_that_write_at_once_do_not_mix(path: Path) -> None:
    names = ("a", "b", "c", "d")
    at_once(PREPARE, WORK, [f"{path}|{name}" for name in names])
    rows = list(journal.rows(path))
    assert all(row["filler"] == row["name"] * 1000 for row in rows)
    for name in names:
        assert [row["n"] for row in rows if row["name"] == name] == list(range(200))
