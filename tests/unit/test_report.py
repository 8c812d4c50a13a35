"""What a report says of a run, the same in Markdown and in HTML."""

from dataclasses import replace
from importlib import resources
from typing import Any

import pytest
from markdown_it import MarkdownIt

from modelcar import report, timeline
from modelcar.fitting import recorded
from modelcar.gpu import Fit
from modelcar.page import lay_out
from modelcar.page_parts import Bar, Section, Table
from modelcar.run_summary import summary
from modelcar.values import (
    Digest,
    Endpoint,
    ImageDigest,
    ImageLayer,
    ModelSource,
    Moved,
    RunRecord,
    StageRecord,
    to_json,
)
from tests.report_runs import (
    BUILT,
    COMMIT,
    DIGEST,
    PLAN,
    PLANNED,
    SERVED,
    SNAPSHOT,
    Reader,
    failed_run,
    in_pods,
    stage,
    whole_run,
)


def rendered(markdown: str) -> Reader:
    return Reader(MarkdownIt("commonmark").enable("table").render(markdown))


def section(run: RunRecord, title: str) -> Section:
    return next(one for one in lay_out(run).sections if one.title == title)


def rows(run: RunRecord, title: str) -> list[tuple[str, ...]]:
    found = section(run, title).table
    assert isinstance(found, Table)
    return [tuple(v.told if isinstance(v, Bar) else v for v in row) for row in found.rows]


def known(run: RunRecord, title: str) -> dict[str, str]:
    return {fact.label: fact.text for fact in section(run, title).facts}


def test_markdown_tells_the_whole_run() -> None:
    text = rendered(report.markdown(whole_run())).text
    assert text.startswith("minilm 1.0: succeeded The image was built; 8.0 MB of its 99.0 MB stood")
    for part in (
        "Started 2027-01-15 08:00:00 UTC, took 58s.",
        "Source: hf://org/MiniLM",
        f"Commit: {COMMIT}",
        "License: mit",
        "Parameters: 22.7 million",
        "Data types: F32, I64",
        "Architecture: BertModel",
        "Size: 99.0 MB with its base",
        f"The image {DIGEST} ",
        "Built quay.io/org/minilm:1.0 pushed",
        "Mirrored mirror.example.com/minilm this digest",
        "Registered minilm 1.0, oci://quay.io/org/minilm this digest",
        "Deployed https://minilm.example.com answers",
        "build succeeded 8.0s from 20s to 28s build is done",
        "Downloaded 90.9 MB 11.4 MB/s 92 %",
        "Uploaded 91.0 MB 9.1 MB/s 92 %",
        "Reused 8.0 MB 8 %",
        "Verdict: tight on 1 x L4 (g6.4xlarge)",
        "First token: 0.23 s Then: 45.5 tokens a second Ready after: 40s",
        "base image 8.0 MB bbbbbbbbbbbb",
        "a.json, b.json, c.json, and 1 more 500.0 kB dddddddddddd",
        "model.bin 90.9 MB a pickle; safetensors are here",
        "the repository names no licence",
    ):
        assert part in text


@pytest.mark.parametrize(
    "run", [whole_run(), failed_run(), in_pods(whole_run())], ids=["whole", "failed", "pods"]
)
def test_html_tells_the_same_as_markdown(run: RunRecord) -> None:
    page = Reader(report.html(run)).text
    words = rendered(report.markdown(run)).text.split()
    assert [word for word in words if word.removesuffix(":") not in page] == []


@pytest.mark.parametrize("show", [report.markdown, report.html])
def test_a_failure_comes_first_with_cause_remedy_and_evidence(show: Any) -> None:
    text = show(failed_run())
    told = [
        "failed",
        "minilm is not ready: no node has a GPU; 6 were asked",
        "add a node with nvidia.com/gpu",
        "INFO begins\n0/3 nodes",
        "modelcar diagnose minilm -n models",
        "modelcar run minilm",
        "The model",
        "Stages",
    ]
    places = [text.index(part) for part in told]
    assert places == sorted(places)
    assert "6 were asked; add" not in text[: text.index("Stages")]


def test_a_failure_without_a_remedy_shows_its_whole_error() -> None:
    failed = stage("build", 0, 1, status="failed", error="KeyError: 'x'; y")
    found = section(summary("m", "1", [failed]), "build failed")
    assert (found.says, found.facts, found.copied) == ("KeyError: 'x'; y", (), "")


def test_of_an_error_of_many_lines_the_first_is_the_cause() -> None:
    failed = stage("plan", 0, 1, PLANNED, "failed", error="preflight: one\npreflight: two")
    found = section(summary("m", "1", [failed]), "plan failed")
    assert (found.says, found.copied) == ("preflight: one", "preflight: two")


def test_a_plan_that_failed_later_still_tells_of_the_model() -> None:
    parts = {"what": "preflight", "why": "no rights", "remedy": "ask"}
    failed = stage("plan", 0, 1, {**PLANNED, **parts}, "failed", error="preflight: no rights; ask")
    run = summary("m", "1", [failed])
    assert known(run, "The model")["Commit"] == COMMIT
    assert known(run, "GPU fit")["Verdict"] == "tight on 1 x L4 (g6.4xlarge)"
    assert [row[0] for row in rows(run, "Bytes")] == ["To download", "To upload", "To reuse"]


def test_a_run_that_ended_without_a_failed_stage_says_so() -> None:
    run = replace(summary("m", "1", [stage("plan", 0, 1, PLAN)]), status="failed", pipeline_run="1")
    assert "No task says why" in section(run, "Not at its end").says


def test_what_failed_first_has_the_evidence() -> None:
    parts = {"evidence": ["found"]}
    stages = [stage(name, 0, 1, parts, "failed", error=name) for name in ("mirror", "register")]
    run = replace(summary("m", "1", stages), asked="m")
    first, second = section(run, "mirror failed"), section(run, "register failed")
    assert (first.copied, len(first.commands)) == ("found", 1)
    assert (second.copied, second.commands) == ("", ())


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
        assert "mirror is skipped again: the site file names no mirror" in shown
        assert "Registered not reached" in shown
        assert "Deployed out/isvc.yaml rendered" in shown


def test_a_run_that_has_only_begun_can_be_shown() -> None:
    empty = summary("m", "1", [])
    begun = summary("m", "1", [stage("plan", 0, 0, status="running")])
    for run in (empty, begun):
        assert "m 1: running" in rendered(report.markdown(run)).text
        assert "Mirrored not known" in Reader(report.html(run)).text
    assert "svg" not in Reader(report.html(empty)).tags
    assert "svg" in Reader(report.html(begun)).tags


def test_another_digest_stands_out() -> None:
    other = ImageDigest("mirror.example.com/m", Digest("f" * 64))
    found = rows(whole_run(mirror=other), "The image")
    assert [row[2] for row in found] == ["pushed", "ANOTHER DIGEST", "this digest", "answers"]
    assert found[1][1] == str(other)


def test_an_unchanged_image_moved_nothing() -> None:
    unchanged = replace(BUILT, changed=False, bytes=Moved(reused=99_000_000))
    run = whole_run(build=unchanged, download=replace(SNAPSHOT, downloaded=0))
    assert lay_out(run).lead.startswith("The image stood there already. It is served at https://")
    assert rows(run, "The image")[0][2] == "was there already"
    assert rows(run, "Bytes") == [
        ("Downloaded", "0 B", "", "0 %"),
        ("Uploaded", "0 B", "", "0 %"),
        ("Reused", "99.0 MB", "", "100 %"),
    ]


def test_bytes_that_build_fetched_itself_are_counted_as_downloaded() -> None:
    streamed = replace(BUILT, bytes=Moved(downloaded=50_000_000, uploaded=50_000_000))
    found = rows(whole_run(build=streamed, download=replace(SNAPSHOT, downloaded=0)), "Bytes")
    assert found[0] == ("Downloaded", "50.0 MB", "5.0 MB/s", "100 %")


def test_a_plan_alone_shows_its_layers_and_what_would_move() -> None:
    run = summary("m", "1", [stage("plan", 0, 1, PLAN)])
    assert rows(run, "Layers") == [("model.safetensors", "90.9 MB", "")]
    assert [row[:2] for row in rows(run, "Bytes")] == [
        ("To download", "90.9 MB"),
        ("To upload", "92.0 MB"),
        ("To reuse", "1.5 MB"),
    ]
    assert known(run, "The model")["Size"] == "90.9 MB without its base"


def test_the_fit_says_why_and_what_would_do() -> None:
    assert known(whole_run(), "GPU fit") == {
        "Verdict": "tight on 1 x L4 (g6.4xlarge)",
        "Why": "4096 tokens need 1.0 GiB of KV cache, and 0.9 GiB is left",
        "What would do": "set serving.max_model_len to 2048",
        "Weights": "22.0 GiB a GPU",
        "KV cache": "12 KiB a token, on each GPU",
        "Longest context": "2048 tokens",
        "Node's disk": "180.0 MB while the image is unpacked",
    }


def test_a_record_of_an_earlier_release_is_shown_too() -> None:
    told: Any = to_json(SERVED)
    earlier = {key: told[key] for key in ("name", "namespace", "url", "seconds")}
    run = whole_run(plan=PLAN, deploy=earlier)
    assert "GPU fit" not in [one.title for one in lay_out(run).sections]
    assert known(run, "Smoke test") == {"First token": "not asked", "Ready after": "40s"}
    assert rows(run, "The image")[3][2] == "ready"


PINNED = replace(PLAN, source=ModelSource("hf", "org/MiniLM", COMMIT))
FOLDER = replace(PLAN, source=ModelSource("file", "/models/minilm"), commit=None)
WHOLE = "What is whole is kept; what broke goes on where it stopped, if its server can."


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        (
            {"plan": PLAN, "build": BUILT},
            ["It asks the Hub which commit main is: ccccccc moves no byte again, another one"],
        ),
        (
            {"plan": PINNED, "build": BUILT},
            ["It takes commit ccccccc again, of which no byte moves twice."],
        ),
        (
            {"plan": FOLDER, "build": BUILT},
            ["It reads the folder again, and sends only files that changed."],
        ),
        ({"plan": None}, ["No byte of the weights has moved: it begins from the start."]),
        ({"plan": PLAN, "download": SNAPSHOT, "build": None}, [WHOLE]),
        (
            {"plan": PINNED, "download": SNAPSHOT, "build": BUILT, "mirror": None},
            ["The image stands: it is not built again.", "It goes on at mirror."],
        ),
    ],
)
def test_what_the_next_run_would_do(stages: dict[str, Any], told: list[str]) -> None:
    made = [
        stage(name, n, 1, result, "succeeded" if result else "failed")
        for n, (name, result) in enumerate(stages.items())
    ]
    items = section(summary("m", "1", made), "The next run").items
    assert len(items) >= len(told)
    assert "build" in stages or len(items) == 1
    for item, start in zip(items, told, strict=False):
        assert item.startswith(start)


def test_of_a_run_in_pods_what_matters_most_is_left() -> None:
    many = tuple(ImageLayer(DIGEST, 1, (f"layer-{n:03d}.bin",)) for n in range(100))
    run = in_pods(whole_run(build=replace(BUILT, layers=many)))
    assert run.digest == str(DIGEST)
    assert lay_out(run).when.endswith(
        "took 58s. Pipeline run 4f0c2a1e-7d1b-4c77-9a57-0f3f2f6b8c11."
    )
    assert known(run, "The model")["License"] == "mit"
    assert known(run, "The model")["Parameters"] == "22.7 million"
    assert known(run, "The model")["Size"] == "99.0 MB with its base"
    assert known(run, "GPU fit") == known(whole_run(), "GPU fit")
    assert known(run, "Smoke test") == known(whole_run(), "Smoke test")
    assert rows(run, "Bytes") == rows(whole_run(), "Bytes")
    planned = replace(summary("m", "1", [stage("plan", 0, 1, PLAN)]), pipeline_run="1")
    assert "Bytes" not in [one.title for one in lay_out(planned).sections]
    assert "The pods do not tell them" in section(run, "Layers").says


def test_of_a_failure_in_pods_the_last_lines_are_left() -> None:
    lines = [f"line {n:02d} {'x' * 180}" for n in range(12)]
    run = in_pods(failed_run(evidence=lines, tail="y" * 600))
    found = section(run, "deploy failed")
    assert found.says == "minilm is not ready: no node has a GPU; 6 were asked"
    assert found.facts[0].text == "add a node with nvidia.com/gpu"
    assert found.copied.splitlines() == lines[-3:]


@pytest.mark.parametrize("show", [report.markdown, report.html])
def test_five_hundred_layers_are_cut(show: Any) -> None:
    layers = tuple(ImageLayer(DIGEST, 1, (f"layer-{n:03d}.bin",)) for n in range(500))
    text = show(whole_run(build=replace(BUILT, layers=layers)))
    assert "layer-029.bin" in text
    assert "layer-030.bin" not in text
    assert "and 470 more" in text


def test_a_result_of_another_form_is_left_out() -> None:
    stages = [
        stage("plan", 0, 1, {"model": "m", "files": 5}),
        stage("build", 0, 1, {"image": {"name": "x", "digest": "latest"}}),
    ]
    shown = rendered(report.markdown(summary("m", "1", stages))).text
    assert "m 1: succeeded" in shown
    assert "Built succeeded" in shown


def bars(*stages: StageRecord) -> list[Bar]:
    found = timeline.timeline(summary("m", "1", stages)).table
    assert found is not None
    return [value for row in found.rows for value in row if isinstance(value, Bar)]


def test_the_timeline_puts_the_stages_on_one_scale() -> None:
    plan, build, mirror, deploy = bars(
        stage("plan", 0, 25),
        stage("build", 50, 50),
        stage("mirror", 100, 0, status="running"),
        StageRecord("deploy", "skipped", 0.0),
    )
    assert (plan.x, plan.width, plan.told) == (0, 25, "from 0.0s to 25s")
    assert (build.x, build.width, build.told) == (50, 50, "from 50s to 1m 40s")
    assert mirror.x + mirror.width == 100
    assert mirror.told == "from 1m 40s"
    assert (deploy.width, deploy.told) == (0, "it did not begin")


def test_a_timeline_without_length_stays_inside_the_drawing() -> None:
    (bar,) = bars(stage("plan", 0, 0))
    assert 0 <= bar.x < bar.x + bar.width <= 100


@pytest.mark.parametrize("name", ["report.md.j2", "report.html.j2"])
def test_the_templates_are_in_the_package(name: str) -> None:
    assert resources.files("modelcar").joinpath(name).is_file()


def test_an_endpoint_that_was_not_asked_is_ready() -> None:
    unasked = Endpoint("m", "ns", "http://m.ns.svc.cluster.local", 3.0)
    assert rows(whole_run(deploy=unasked), "The image")[3][2] == "ready"


def test_another_commit_needs_another_version_where_one_is_registered() -> None:
    items = section(whole_run(), "The next run").items
    assert items[0].endswith("another one only what changed. What changed needs another version.")


def test_a_stage_that_still_runs_is_not_passed_over() -> None:
    stages = [stage("plan", 0, 1, PLAN), stage("download", 1, 1, status="running")]
    run = replace(summary("m", "1", stages), status="failed")
    assert section(run, "The next run").items == (WHOLE,)


def test_a_long_remedy_is_whole() -> None:
    parts = {"what": "x", "why": "y", "remedy": "z" * 900}
    failed = stage("build", 0, 1, parts, "failed", error="x: y")
    assert section(summary("m", "1", [failed]), "build failed").facts[0].text == parts["remedy"]


def test_weights_that_are_not_known_are_not_told() -> None:
    unknown = recorded(PLAN, Fit("unknown", "", "no GPU is asked for", ""))
    assert "Weights" not in known(whole_run(plan=unknown), "GPU fit")
