from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
from markdown_it import MarkdownIt

from modelcar import report, timeline
from modelcar.page import lay_out
from modelcar.run_summary import summary
from modelcar.values import (
    Digest,
    Endpoint,
    ImageDigest,
    ImageLayer,
    Moved,
    StageRecord,
)
from tests.report_runs import (
    BUILT,
    COMMIT,
    DIGEST,
    PLAN,
    SNAPSHOT,
    Reader,
    failed_run,
    hostile_run,
    stage,
    whole_run,
)

HOSTILE = (
    '<script>alert("x")</script> | `rm` ![a](b) *x* _y_ & \\ \x1b[31m\u202e\n# head\n| c | d |'
)


def rendered(markdown: str) -> Reader:
    return Reader(MarkdownIt("commonmark").enable("table").render(markdown))


def test_markdown_tells_the_whole_run() -> None:
    text = rendered(report.markdown(whole_run())).text
    assert text.startswith("minilm 1.0: succeeded")
    for part in (
        "Source: hf://org/MiniLM",
        f"Commit: {COMMIT}",
        "Started: 2027-01-15 08:00:00 UTC",
        "Took: 58s",
        f"Digest: {DIGEST}",
        "Built quay.io/org/minilm:1.0 pushed",
        f"Mirrored mirror.example.com/minilm@{DIGEST} same digest",
        f"Registered minilm 1.0, oci://quay.io/org/minilm@{DIGEST} same digest",
        "Deployed https://minilm.example.com answers",
        "build succeeded 8.0s build is done",
        "Downloaded 90.9 MB 90.9 MB 11.4 MB/s",
        "Uploaded 92.0 MB 91.0 MB 9.1 MB/s",
        "Reused 1.5 MB 8.0 MB",
        "base image 8.0 MB bbbbbbbbbbbb",
        "a.json, b.json, c.json, and 1 more 500.0 kB dddddddddddd",
        "model.bin 90.9 MB a pickle; safetensors are here",
        "the repository names no licence",
    ):
        assert part in text


def test_html_tells_the_same_as_markdown() -> None:
    for run in (whole_run(), failed_run()):
        page = Reader(report.html(run)).text
        words = rendered(report.markdown(run)).text.split()
        assert [word for word in words if word.removesuffix(":") not in page] == []


def test_html_is_one_accessible_file_without_script() -> None:
    text = report.html(whole_run())
    page = Reader(text)
    assert text.startswith('<!doctype html>\n<html lang="en">')
    assert page.tags.count("h1") == page.tags.count("main") == page.tags.count("svg") == 1
    assert ("role", "img") in page.attributes
    assert ("aria-labelledby", "timeline-title timeline-text") in page.attributes
    assert {"script", "link", "img", "iframe"}.isdisjoint(page.tags)
    assert not [name for name, _ in page.attributes if name == "src" or name.startswith("on")]
    assert "prefers-color-scheme: dark" in text
    assert ("href", "https://minilm.example.com") in page.attributes


@pytest.mark.parametrize("show", [report.markdown, report.html])
def test_a_failure_comes_first_with_cause_and_remedy(show: Any) -> None:
    text = show(failed_run())
    cause = text.index("minilm is not ready: no node has a GPU; 6 were asked")
    remedy = text.index("add a node with nvidia.com/gpu")
    assert text.index("failed") < cause < remedy < text.index("Source") < text.index("Stages")
    assert "6 were asked; add" not in text[: text.index("Stages")]


def test_a_failure_without_a_remedy_shows_its_whole_error() -> None:
    failed = stage("build", 0, 1, status="failed", error="KeyError: 'x'; y")
    (failure,) = lay_out(summary("m", "1", [failed])).failures
    assert (failure.cause, failure.remedy) == ("KeyError: 'x'; y", "")


def test_rendered_skipped_and_missing_stages_say_so() -> None:
    run = summary(
        "m",
        "1",
        [
            stage("build", 0, 1, BUILT),
            stage("mirror", 1, 1, status="skipped", detail="the site file names no mirror"),
            stage("deploy", 2, 1, {"path": "out/isvc.yaml"}, "rendered"),
        ],
    )
    for shown in (rendered(report.markdown(run)).text, Reader(report.html(run)).text):
        assert "m 1: succeeded" in shown
        assert "Mirrored skipped" in shown
        assert "the site file names no mirror" in shown
        assert "Registered not reached" in shown
        assert "Deployed out/isvc.yaml rendered" in shown


def test_a_run_that_has_only_begun_can_be_shown() -> None:
    empty = summary("m", "1", [])
    begun = summary("m", "1", [stage("plan", 0, 0, status="running")])
    for run in (empty, begun):
        assert "m 1: running" in rendered(report.markdown(run)).text
        assert "No image was built." in Reader(report.html(run)).text
    assert "svg" not in Reader(report.html(empty)).tags
    assert "svg" in Reader(report.html(begun)).tags


def test_another_digest_stands_out() -> None:
    other = ImageDigest("mirror.example.com/m", Digest("f" * 64))
    places = lay_out(whole_run(mirror=other)).places
    assert [place.state for place in places] == [
        "pushed",
        "ANOTHER DIGEST",
        "same digest",
        "answers",
    ]


def test_an_unchanged_image_moved_nothing() -> None:
    unchanged = replace(BUILT, changed=False, bytes=Moved(reused=99_000_000))
    shown = lay_out(whole_run(build=unchanged, download=replace(SNAPSHOT, downloaded=0)))
    assert shown.places[0].state == "was there already"
    assert [(row.kind, row.moved, row.rate) for row in shown.moved] == [
        ("Downloaded", "0 B", ""),
        ("Uploaded", "0 B", ""),
        ("Reused", "99.0 MB", ""),
    ]


def test_bytes_that_build_fetched_itself_are_counted_as_downloaded() -> None:
    streamed = replace(BUILT, bytes=Moved(downloaded=50_000_000, uploaded=50_000_000))
    shown = lay_out(whole_run(build=streamed, download=replace(SNAPSHOT, downloaded=0)))
    assert (shown.moved[0].moved, shown.moved[0].rate) == ("50.0 MB", "5.0 MB/s")


def test_a_plan_alone_shows_its_layers_and_what_would_move() -> None:
    shown = lay_out(summary("m", "1", [stage("plan", 0, 1, PLAN)]))
    assert [layer.content for layer in shown.layers.rows] == ["model.safetensors"]
    assert [(row.planned, row.moved) for row in shown.moved] == [
        ("90.9 MB", ""),
        ("92.0 MB", ""),
        ("1.5 MB", ""),
    ]


def test_hostile_values_are_texts_in_html() -> None:
    page = Reader(report.html(hostile_run(HOSTILE, 2)))
    harmless = Reader(report.html(hostile_run("x", 2)))
    assert page.tags == harmless.tags
    assert '<script>alert("x")</script> | `rm`' in page.text
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text


def test_hostile_values_are_texts_in_markdown() -> None:
    page = rendered(report.markdown(hostile_run(HOSTILE, 2)))
    harmless = rendered(report.markdown(hostile_run("x", 2)))
    assert page.tags == harmless.tags
    assert '<script>alert("x")</script> | `rm` ![a](b) *x* _y_ & \\' in page.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,https://x", "ftp://x"])
def test_only_an_http_address_becomes_a_link(url: str) -> None:
    page = Reader(report.html(whole_run(deploy=Endpoint("m", "ns", url, 1.0))))
    assert url in page.text
    assert "href" not in dict(page.attributes)


@pytest.mark.parametrize("show", [report.markdown, report.html])
def test_five_hundred_layers_are_cut(show: Any) -> None:
    layers = tuple(ImageLayer(DIGEST, 1, (f"layer-{n:03d}.bin",)) for n in range(500))
    text = show(whole_run(build=replace(BUILT, layers=layers)))
    assert "layer-029.bin" in text
    assert "layer-030.bin" not in text
    assert "and 470 more" in text


@pytest.mark.parametrize("text", ['"' * 5000, "&" * 5000, "\N{SNOWMAN}" * 5000, "x|`" * 5000])
def test_the_worst_page_stays_small(text: str) -> None:
    run = hostile_run(text, 500)
    assert len(report.html(run).encode()) < 200_000
    assert len(report.markdown(run).encode()) < 200_000


def test_a_result_of_another_form_is_left_out() -> None:
    stages = [
        stage("plan", 0, 1, {"model": "m", "files": 5}),
        stage("build", 0, 1, {"image": {"name": "x", "digest": "latest"}}),
    ]
    shown = rendered(report.markdown(summary("m", "1", stages))).text
    assert "m 1: succeeded" in shown
    assert "Built succeeded" in shown


def test_the_timeline_puts_the_stages_on_one_scale() -> None:
    stages = [
        stage("plan", 0, 25),
        stage("build", 50, 50),
        stage("mirror", 100, 0, status="running"),
        StageRecord("deploy", "skipped", 0.0),
    ]
    width = timeline.RIGHT - timeline.LEFT
    plan, build, mirror = timeline.timeline(stages)
    assert (plan.x, plan.width, plan.y) == (timeline.LEFT, width / 4, 0)
    assert (build.x, build.width, build.y) == (timeline.LEFT + width / 2, width / 2, timeline.ROW)
    assert (mirror.x + mirror.width, mirror.seconds) == (timeline.RIGHT, "")


def test_a_timeline_without_length_stays_inside_the_drawing() -> None:
    (bar,) = timeline.timeline([stage("plan", 0, 0)])
    assert timeline.LEFT <= bar.x < bar.x + bar.width <= timeline.RIGHT


@pytest.mark.parametrize("name", ["report.md.j2", "report.html.j2"])
def test_the_templates_are_in_the_package(name: str) -> None:
    assert resources.files("modelcar").joinpath(name).is_file()
