"""A report's page is one safe file that everybody can read, whatever a record holds."""

import re
from itertools import pairwise

import pytest

from modelcar import report
from modelcar.values import Endpoint, RunRecord
from tests.report_runs import Reader, failed_run, hostile_run, in_pods, whole_run
from tests.unit.test_report import rendered

HOSTILE = (
    '<script>alert("x")</script> | `rm` ![a](b) *x* _y_ & \\ \x1b[31m\u202e\n# head\n| c | d |\n```'
)
RUNS = {"whole": whole_run(), "failed": failed_run(), "pods": in_pods(failed_run())}
EVERY = pytest.mark.parametrize("run", RUNS.values(), ids=list(RUNS))
STYLE = re.search("<style>(.*?)</style>", report.html(whole_run()), re.DOTALL)
assert STYLE
CSS = STYLE[1]


@EVERY
def test_it_is_one_file_that_loads_and_runs_nothing(run: RunRecord) -> None:
    text = report.html(run)
    page = Reader(text)
    assert text.startswith('<!doctype html>\n<html lang="en">')
    unsafe = {"script", "link", "img", "iframe", "object", "form", "base", "input", "button"}
    assert unsafe.isdisjoint(page.tags)
    names = {name for name, _ in page.attributes}
    assert not [name for name in names if name.startswith("on")]
    assert names.isdisjoint({"src", "style", "action", "xlink:href", "srcset"})
    assert "url(" not in CSS
    assert "@import" not in CSS
    (policy,) = [a["content"] for _, a in page.elements if a.get("http-equiv")]
    assert policy == (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )


def test_a_link_leaves_the_page_where_it_is() -> None:
    # In the dashboard's frame it would take the report's place, or that of the dashboard.
    links = [given for tag, given in Reader(report.html(whole_run())).elements if tag == "a"]
    assert links
    for given in links:
        assert (given["target"], given["rel"]) == ("_blank", "noopener noreferrer")


@EVERY
def test_headings_are_in_order_and_tables_and_drawings_have_names(run: RunRecord) -> None:
    page = Reader(report.html(run))
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == page.tags.count("main") == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.tags.count("table") == page.tags.count("thead") > 2
    heads = [given["scope"] for tag, given in page.elements if tag == "th"]
    assert {"col", "row"} == set(heads)
    drawings = [given for tag, given in page.elements if tag == "svg"]
    assert {given["role"] for given in drawings} == {"img"}
    assert len(drawings) == len(re.findall("<svg[^>]*><title>[^<]+</title>", report.html(run)))


@EVERY
def test_a_status_is_a_word_and_not_a_colour_alone(run: RunRecord) -> None:
    text = report.html(run)
    for status in re.findall(r'class="(?:pill|status) (\w+)">', text):
        assert re.search(rf'class="(?:pill|status) {status}">{status}<', text)


def schemes() -> list[dict[str, str]]:
    """Return the colours of the light and of the dark scheme, by name."""
    light, dark = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    found = dict(re.findall(r"--(\w+): (#\w{6})", light))
    return [found, {**found, **dict(re.findall(r"--(\w+): (#\w{6})", dark))}]


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_wcag_has_it() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", schemes(), ids=["light", "dark"])
def test_every_text_can_be_read_in_both_schemes(scheme: dict[str, str]) -> None:
    inks = set(re.findall(r"[^-\w]color: var\(--(\w+)\)", CSS))
    papers = set(re.findall(r"background: var\(--(\w+)\)", CSS))
    assert inks >= {"ink", "soft", "good", "bad", "busy"}
    assert papers == {"paper", "panel"}
    ratios = {
        (ink, paper): contrast(scheme[ink], scheme[paper]) for ink in inks for paper in papers
    }
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < 4.5} == {}


def test_print_is_light_and_cuts_no_row() -> None:
    assert "@media screen and (prefers-color-scheme: dark)" in CSS
    printed = CSS[CSS.index("@media print") :]
    assert "tr, pre, .failure { break-inside: avoid; }" in printed


def test_hostile_values_are_texts_in_html() -> None:
    page = Reader(report.html(hostile_run(HOSTILE, 2)))
    harmless = Reader(report.html(hostile_run("x\n", 2)))
    assert page.tags == harmless.tags
    assert '<script>alert("x")</script> | `rm`' in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_hostile_values_are_texts_in_markdown() -> None:
    page = rendered(report.markdown(hostile_run(HOSTILE, 2)))
    harmless = rendered(report.markdown(hostile_run("x\n", 2)))
    assert page.tags == harmless.tags
    assert '<script>alert("x")</script> | `rm` ![a](b) *x* _y_ & \\' in page.text


def test_what_was_found_ends_no_fence() -> None:
    lines = ["```", "~~~", "    ```", "<b>bold</b>", "a ``` b"]
    text = report.markdown(failed_run(evidence=lines))
    assert "```" not in text[text.index("What was found\n\n```") + 20 :].partition("\n```\n")[0]
    assert "<b>bold</b>" in rendered(text).text
    assert "b" not in rendered(text).tags


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,https://x", "ftp://x"])
def test_only_an_http_address_becomes_a_link(url: str) -> None:
    page = Reader(report.html(whole_run(deploy=Endpoint("m", "ns", url, 1.0))))
    assert url in page.text
    assert "a" not in page.tags


def test_the_source_is_no_link_as_no_record_names_its_hub() -> None:
    links = [
        given["href"] for tag, given in Reader(report.html(whole_run())).elements if tag == "a"
    ]
    assert links == ["https://minilm.example.com"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('"' * 1500, 50),
        ('"' * 299, 50),
        ("'" * 299, 50),
        ("&" * 1500, 50),
        ("\N{SNOWMAN}" * 1500, 50),
        ("x|`" * 1500, 50),
        ("x", 2000),
        ("<a\n" * 33_000, 35),
    ],
)
def test_the_worst_page_stays_small(text: str, count: int) -> None:
    run = hostile_run(text, count)
    assert len(report.html(run).encode()) < 200_000
    assert len(report.markdown(run).encode()) < 200_000
