"""The text of a new catalog file."""

from pathlib import Path
from typing import Any

import pytest

from modelcar import catalog, catalog_file
from modelcar.entry import Entry, FilesEntry, ServingEntry
from modelcar.values import FileRules, Model, ModelSource, Serving

LEAST: dict[str, Any] = {"name": "small", "source": "hf://org/Small", "version": "1.0"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "small.yaml"


def test_what_is_not_given_stands_there_with_its_default(path: Path) -> None:
    text = catalog_file.text(LEAST, {})
    path.write_text(text)

    assert catalog.load(path) == Model("small", "1.0", ModelSource("hf", "org/Small", "main"))
    shown = [line.strip().lstrip("#").partition(":")[0] for line in text.splitlines()]
    for schema in (Entry, FilesEntry, ServingEntry):
        assert all(shown.count(name) == 1 for name in schema.model_fields)


def test_each_default_may_be_taken_out_of_its_comment(path: Path) -> None:
    lines = catalog_file.text(LEAST, {}).splitlines()
    without = [line for line in lines if not line.lstrip().startswith("# ")]
    path.write_text("\n".join(line.replace("#", "", 1) for line in without))

    assert catalog.load(path) == Model("small", "1.0", ModelSource("hf", "org/Small", "main"))


def test_every_value_is_read_as_it_was_given(path: Path) -> None:
    serving = {
        "gpus": 2,
        "args": ("--a", '--override={"x": "#1"}'),
        "node_selector": {"a.b/c": "1", "d": "true"},
    }
    files = {"include": ["*.json"], "exclude": ["'x"], "allow_pickle": True}
    words = "A: \"b\" # 'c' — {d}"
    given = {**LEAST, "description": words, "commit": "1" * 40, "files": files, "serving": serving}
    path.write_text(catalog_file.text(given, {}))

    assert catalog.load(path) == Model(
        "small",
        "1.0",
        ModelSource("hf", "org/Small", "1" * 40),
        words,
        FileRules(("*.json",), ("'x",), True),
        Serving(gpus=2, args=serving["args"], node_selector=serving["node_selector"]),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("mark", ["\x1b[2J", "\x85", "\u2028", "\n", "\0"])
def test_no_reason_ends_its_comment(path: Path, mark: str) -> None:
    path.write_text(catalog_file.text(LEAST, {"serving.gpus": f"a{mark}gpus: 8"}))
    assert catalog.load(path).serving == Serving()


def test_a_reason_stands_between_the_description_and_the_value() -> None:
    lines = catalog_file.text(LEAST, {"serving.gpus": "it is so"}).splitlines()
    place = lines.index("  # Here: it is so.")
    assert lines[place - 1] == f"  # {ServingEntry.model_fields['gpus'].description}"
    assert lines[place + 1] == "  #gpus: 1"
    assert max(map(len, lines)) <= 100
