"""The documentation as a site: it builds strictly, every link and picture is there, alone."""

import re
import shutil
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests import built_site
from tests.built_site import ROOT, SitePage

DOCS = ROOT / "docs"
HOSTS = {
    "docs.redhat.com",
    "docs.openshift.com",
    "docs.vllm.ai",
    "github.com",
    "huggingface.co",
    "keepachangelog.com",
    "kserve.github.io",
    "kubernetes.io",
    "opencontainers.org",
    "quay.io",
    "www.kubeflow.org",
}
"""Where links may lead."""
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "site"
    done = built_site.build(DOCS, folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> list[SitePage]:
    return built_site.pages(site)


def test_every_page_of_docs_is_a_page_that_the_navigation_leads_to(
    site: Path, pages: list[SitePage]
) -> None:
    sources = {path.relative_to(DOCS).with_suffix(".html") for path in DOCS.rglob("*.md")}
    assert {page.path.relative_to(site) for page in pages} == sources
    home = next(page for page in pages if page.path == site / "index.html")
    led = {Path(urlsplit(link).path) for link in home.navigated if urlsplit(link).path}
    assert led | {Path("index.html")} >= sources


def test_every_internal_link_leads_to_a_page_and_a_place_on_it(pages: list[SitePage]) -> None:
    ids = {page.path: page.ids for page in pages}
    checked = 0
    for page in pages:
        for link in (link for link in page.links if not urlsplit(link).scheme):
            path, anchor = urlsplit(link).path, unquote(urlsplit(link).fragment)
            target = (page.path.parent / unquote(path)).resolve() if path else page.path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{page.path}: {link}"
            assert not anchor or anchor in ids[target], f"{page.path}: {link}"
            checked += 1
    assert checked > 100


def test_links_to_elsewhere_are_well_formed_and_lead_to_known_hosts(pages: list[SitePage]) -> None:
    for page in pages:
        for link in page.links:
            url = urlsplit(link)
            if url.scheme:
                assert url.scheme == "https", f"{page.path}: {link}"
                assert url.hostname in HOSTS, f"{page.path}: {link}"


def test_no_page_loads_anything_from_elsewhere(site: Path, pages: list[SitePage]) -> None:
    for page in pages:
        for loaded in page.loaded:
            assert not urlsplit(loaded).scheme, f"{page.path}: {loaded}"
            assert not urlsplit(loaded).netloc, f"{page.path}: {loaded}"
            assert (page.path.parent / unquote(urlsplit(loaded).path)).exists(), loaded
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text()) == []


def test_pictures_load_nothing_and_are_told_in_words(pages: list[SitePage]) -> None:
    shown = set()
    for page in pages:
        for source, words in page.pictures:
            shown.add((page.path.parent / source).resolve())
            assert len(words) > 20, f"{page.path}: {source}"
    for picture in (path for path in shown if path.suffix == ".svg"):
        text = picture.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|href|<script|@import", text), picture


def test_every_picture_is_shown(site: Path, pages: list[SitePage]) -> None:
    shown = {Path(source).name for page in pages for source, _ in page.pictures}
    assert {path.name for path in (site / "pictures").iterdir()} <= shown


def test_headings_begin_with_one_and_skip_no_level(pages: list[SitePage]) -> None:
    for page in pages:
        assert page.headings[0] == 1, page.path
        assert page.headings.count(1) == 1, page.path
        assert all(after <= before + 1 for before, after in pairwise(page.headings)), page.path


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_of_the_files_beside_docs_lead_to_files(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for link in LINK.findall(text):
        url = urlsplit(link)
        assert url.hostname in HOSTS if url.scheme else (ROOT / url.path).exists(), link
    for words, source in PICTURE.findall(text):
        assert len(words) > 20, source


def test_what_leads_nowhere_ends_the_build(tmp_path: Path) -> None:
    wrong = {
        "[nowhere](nowhere.md)": "'nowhere.md', but the target is not found",
        "[no such place](pipeline.md#no-such-place)": "does not contain an anchor '#no-such-place'",
        "[from the root](/pipeline.md)": "absolute link '/pipeline.md'",
        "[beside docs](../README.md)": "'../README.md', but the target is not found",
        "![no picture](pictures/none.svg)": "'pictures/none.svg', but the target is not found",
        "[no file](tutorial)": "unrecognized relative link 'tutorial'",
    }
    docs = shutil.copytree(DOCS, tmp_path / "docs")
    (docs / "forgotten.md").write_text("\n\n".join(["# Forgotten", *wrong]), encoding="utf-8")
    done = built_site.build(docs, tmp_path / "site")
    assert done.returncode != 0
    assert [told for told in wrong.values() if told not in done.stderr] == []
    assert 'not included in the "nav" configuration:\n  - forgotten.md' in done.stderr
