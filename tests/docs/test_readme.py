"""The pages outside docs/, which the site does not check: their length and their links."""

import re

import pytest

from modelcar.cli import main
from tests.pipeline.compiled_file import ROOT

LINK = re.compile(r'\]\(([^)#\s]+)|src="([^"]+)"')


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_the_readme_names_every_verb() -> None:
    text = (ROOT / "README.md").read_text()
    assert [name for name in main.commands if f"`{name}`" not in text] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_link_to_a_file_leads_to_one(page: str) -> None:
    found = (match[1] or match[2] for match in LINK.finditer((ROOT / page).read_text()))
    inside = [link for link in found if not link.startswith("http")]
    assert [link for link in inside if not (ROOT / link).exists()] == []
