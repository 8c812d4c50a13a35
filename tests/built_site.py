"""The site as mkdocs builds it: each page's links, pictures, headings, and what it loads."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
NOTHING_LOADED = ("canonical", "prev", "next", "alternate")


@dataclass
class SitePage(HTMLParser):
    """One built page."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    pictures: list[tuple[str, str]] = field(default_factory=list)
    """Source and alternative text."""
    headings: list[int] = field(default_factory=list)
    navigated: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given["id"]} if "id" in given else set()
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
            self.navigated += [given["href"]] if "md-nav__link" in given.get("class", "") else []
        if tag in LOADED and given.get(LOADED[tag]) and given.get("rel") not in NOTHING_LOADED:
            self.loaded.append(given[LOADED[tag]])
        if tag == "img":
            self.pictures.append((given.get("src", ""), given.get("alt", "")))
        if tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append(int(tag[1]))


def build(docs: Path, into: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of a folder of pages with this repository's settings, strictly."""
    config = into.parent / "mkdocs.yml"
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    config.write_text(text.replace("docs_dir: docs", f"docs_dir: {docs}"), encoding="utf-8")
    arguments = ["build", "--strict", "--config-file", config, "--site-dir", into]
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", *map(str, arguments)],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )


def pages(site: Path) -> list[SitePage]:
    """Return the pages of a built site, but for the one that says that there is none."""
    return [SitePage(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"]
