"""Documentation: each test that a page names is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
NAMED = re.compile(r"`(test_\w+)`(?:\s+in\s+`(test_\w+\.py)`)?")
DEFINED = re.compile(r"^def (test_\w+)", re.MULTILINE)


def defined() -> dict[str, set[str]]:
    """Return the tests by the name of their file."""
    found = (ROOT / "tests").rglob("test_*.py")
    return {path.name: set(DEFINED.findall(path.read_text())) for path in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    tests = defined()
    for test, file in NAMED.findall(page.read_text()):
        assert test in tests[file or f"test_{page.stem}.py"], test


def test_the_page_on_disconnected_clusters_proves_each_statement() -> None:
    text = (ROOT / "docs" / "disconnected.md").read_text()
    statements = re.split(r"\n- ", text)[1:]
    assert len(statements) >= 10
    assert [one for one in statements if not NAMED.search(one)] == []
