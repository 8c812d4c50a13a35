"""The generated pages: what the sources give, whole, and refused where words are missing."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import click
import pytest
from pydantic import BaseModel, Field

from modelcar import errors, run_pods, skopeo
from modelcar.cli import main
from modelcar.entry import Entry
from modelcar.errors import ModelCarError, Stopped
from modelcar.preflight.finding import Finding
from modelcar.serving.rules import RULES, Rule
from modelcar.site import SiteFile
from scripts import (
    docs,
    docs_checks,
    docs_cli,
    docs_findings,
    docs_pipeline,
    docs_schema,
    docs_stages,
    docs_troubleshooting,
    docs_variables,
)
from scripts.compiled_graph import Graph, read
from scripts.docs_patterns import GAP, NUMBER, phrases
from scripts.docs_text import code, marked, prose
from tests.pipeline.compiled_file import OVERLAPPED, ROOT, SHIPPED

TROUBLE = "docs/troubleshooting.md"


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return dict(docs.files())


@pytest.fixture(scope="module")
def graph() -> Graph:
    return read(SHIPPED)


def test_what_is_there_is_what_the_sources_give(made: dict[str, str]) -> None:
    assert docs.stale(list(made.items()), ROOT) == []


def test_what_is_out_of_date_is_named(made: dict[str, str], tmp_path: Path) -> None:
    docs.write(list(made.items()), tmp_path)
    (tmp_path / TROUBLE).write_text("older\n")
    (tmp_path / "docs" / "pictures" / "pipeline.svg").unlink()

    assert docs.stale(list(made.items()), tmp_path) == [TROUBLE, "docs/pictures/pipeline.svg"]


def test_every_process_makes_the_same(made: dict[str, str]) -> None:
    seeded = subprocess.run(
        [sys.executable, "-m", "scripts.docs", "--check"],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "PATH": "", "COLUMNS": "40"},
        capture_output=True,
        text=True,
    )
    assert seeded.returncode == 0, seeded.stderr


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_each_verb_has_its_section_with_all_its_options(verb: str, made: dict[str, str]) -> None:
    page = made["docs/reference/cli.md"]
    shared = page.partition("## Options of every verb")[2].partition("\n## ")[0]
    section = page.partition(f"\n### `{verb}`\n")[2].partition("\n### ")[0]
    assert section
    for option in main.commands[verb].params:
        if isinstance(option, click.Option):
            assert all(name in section + shared for name in option.opts), option.name
            assert str(option.help).partition("  [")[0].split()[-1].rstrip("`.") in section + shared
        else:
            assert option.make_metavar(click.Context(main)).strip("[]<>.") in section


def test_every_verb_stands_in_a_section(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(main.commands, "newer", click.Command("newer"))
    with pytest.raises(ValueError, match="newer: each verb stands in one section"):
        list(docs_cli.files())


def test_every_variable_that_is_read_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(docs_variables.MEANINGS, "HF_TOKEN")
    monkeypatch.setitem(docs_variables.MEANINGS, "READ_BY_NOBODY", "Nothing.")
    with pytest.raises(ValueError, match="HF_TOKEN, READ_BY_NOBODY: see MEANINGS"):
        list(docs_variables.variables())


@pytest.mark.parametrize(("page", "model"), [("catalog", Entry), ("site", SiteFile)])
def test_every_field_is_listed_with_its_description(
    page: str, model: type[BaseModel], made: dict[str, str]
) -> None:
    text = made[f"docs/reference/{page}.md"]
    schema = model.model_json_schema()
    inner = [one["properties"] for one in schema["$defs"].values()]
    for fields in (schema["properties"], *inner):
        for name, field in fields.items():
            assert f"`{name}`" in text
            assert prose(field["description"]) in text


def test_a_field_without_a_description_is_refused() -> None:
    class Silent(BaseModel):
        told: str = Field("", description="Said.")
        silent: str = ""

    with pytest.raises(ValueError, match="field silent has no description"):
        list(docs_schema.sections(Silent.model_json_schema()))


def test_every_parameter_has_a_row_with_its_default(graph: Graph, made: dict[str, str]) -> None:
    page = made["docs/reference/pipeline-parameters.md"]
    for one in graph.parameters:
        (row,) = re.findall(rf"^\| `{one.name}` \| .*$", page, re.MULTILINE)
        assert one.default[:40] in row
        assert one.description in row
    for passed in graph.passed:
        assert re.search(rf"\| `{passed.value}` \| {passed.producer} \| .*{passed.consumer}", page)


def test_a_parameter_in_no_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(docs_pipeline.GROUPS, "The run", "pvc_name workdir")
    with pytest.raises(ValueError, match="skip_preflight: each parameter stands in one group"):
        list(docs_pipeline.files())


def test_the_graph_has_what_the_compiled_files_say(graph: Graph) -> None:
    assert [task.name for task in graph.closing] == ["report"]
    assert [task.name for task in graph.tasks][:3] == ["plan", "download", "build"]
    assert [task.name for task in read(OVERLAPPED).tasks][:2] == ["plan", "transfer"]
    by_name = {task.name: task for task in (*graph.tasks, *graph.closing)}
    assert by_name["download"].secrets == ("huggingface-token", "registry-auth")
    assert [name for name, task in by_name.items() if not task.volume] == [
        "plan",
        "mirror",
        "report",
    ]
    assert all(limit == "1Gi" for task in graph.tasks for limit in task.memory[1:])


def test_a_condition_is_refused_as_nothing_shows_it(tmp_path: Path) -> None:
    text = SHIPPED.read_text().replace(
        "strategy: ALL_UPSTREAM_TASKS_COMPLETED", "condition: inputs.x == 'true'"
    )
    (tmp_path / "conditional.yaml").write_text(text)
    with pytest.raises(ValueError, match="task report has a condition"):
        read(tmp_path / "conditional.yaml")


def test_every_error_has_a_row_with_its_code(made: dict[str, str]) -> None:
    page = made["docs/reference/exit-codes.md"]
    own = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, ModelCarError | Stopped)
    ]
    assert len(own) > 15
    for one in own:
        assert page.count(f"`{one.__name__}` | {one.exit_code} |") == 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.pattern[-30:] or "anything")
def test_what_the_page_says_to_look_for_is_what_the_rule_matches(rule: Rule) -> None:
    parts = phrases(rule.pattern)
    for part in parts:
        for words in part:
            text = " … ".join(words if one is part else one[0] for one in parts)
            for number in ("4096", "1"):
                seen = re.sub(rf"\b{NUMBER}\b", number, text.replace(GAP, "between"))
                assert re.search(rule.pattern, f"{seen} ", re.DOTALL), (text, seen)


def test_every_rule_has_its_row(made: dict[str, str]) -> None:
    page = made[TROUBLE]
    for rule in RULES:
        remedy = marked(re.sub(r"\\\d", "N", rule.remedy))
        shown = docs_troubleshooting.symptom(rule).rpartition("<br>with<br>")[2]
        rows = [line for line in page.splitlines() if remedy in line]
        assert any(shown in row or "anything else" in row for row in rows), rule
    assert page.count("| it may |") + page.count("| no |") + page.count("| not after") == len(RULES)


def test_a_rule_at_a_place_that_no_section_has_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(docs_troubleshooting.SECTIONS, "log")
    with pytest.raises(ValueError, match="log: see SECTIONS"):
        list(docs_troubleshooting.files())


def test_every_remedy_for_a_pod_of_a_run_is_told(
    made: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    section = made[TROUBLE].partition("## A run of the pipeline")[2].partition("\n## ")[0]
    for remedy in run_pods._REMEDIES.values():
        assert prose(remedy) in section
    for reason in run_pods._WAITING:
        assert f"`{reason}`" in section
    monkeypatch.setitem(run_pods._REMEDIES, "it lost its node", "wait for another")
    with pytest.raises(ValueError, match="calls for: wait for another"):
        list(docs_troubleshooting.files())


def test_findings_are_read_as_they_are_made() -> None:
    """Each `Finding(…)` of the source is one that is told, and each has a check and a state."""
    source = ROOT / "src" / "modelcar"
    files = [*(source / "preflight").glob("*.py"), source / "tasks" / "listed.py"]
    calls = sum(
        len(re.findall(r"\bFinding\(", path.read_text()))
        for path in files
        if path.name != "finding.py"
    )
    found = list(docs_findings.findings())
    assert len(found) >= calls > 40
    for told in found:
        assert told.checks
        assert told.states
        assert told.what
    assert Finding("pvc", "failed", "x").state in {state for told in found for state in told.states}


def test_a_choice_is_told_as_two_findings() -> None:
    told = {(one.states, one.what) for one in docs_findings.findings() if "pvc" in one.checks}
    assert (("failed",), "CLAIM is not there") in told
    assert (("unknown",), "CLAIM is hidden") in told


def test_what_a_check_says_again_is_what_it_says_elsewhere() -> None:
    told = {(one.what, one.remedy) for one in docs_findings.findings() if "pvc" in one.checks}
    assert ("CLAIM is not there", docs_findings._AGAIN) in told
    assert ("NAME has lost its volume", f"delete it, and {docs_findings._AGAIN}") in told


def test_each_message_of_a_stage_stands_with_what_is_to_be_done(made: dict[str, str]) -> None:
    page = made[TROUBLE].partition("## What a stage says")[2].partition("\n## ")[0]
    lines = page.splitlines()
    for words, remedy in {
        "this token has no access": "accept its terms at",
        "holds it on the volume claim": "wait until it ends",
        "it points at …, and this image is …": "`--move-version`",
        "OCI registry HOST: HTTP 413": "`--chunk-size`",
        "the server answered 403": "registry-user-NAME",
        "no space left on device": "free space on the destination",
        "work folder …: …`": "free space there",
        "there is no such repository, or it is private": "a token that may read it",
    }.items():
        (row,) = (line for line in lines if words in line)
        assert remedy in row
    assert [row for row in lines if row.startswith("| ") and row.count(" | ") != 1] == []


def test_a_link_or_an_error_that_has_no_place_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(docs_stages.LINKS, "nobody says this", "tutorial.md")
        with pytest.raises(ValueError, match="nobody says this: see LINKS"):
            list(docs_stages.section())
    monkeypatch.delitem(docs_stages._OF_KIND, "VerificationError")
    with pytest.raises(ValueError, match="VerificationError: see _OF_KIND"):
        list(docs_stages.section())


def test_a_cause_of_skopeo_that_no_line_shows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skopeo, "_CAUSES", (*skopeo._CAUSES, ("newer", "wait for it")))
    with pytest.raises(ValueError, match="calls for: wait for it"):
        list(docs_stages.section())


def test_a_check_without_words_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(docs_checks.LOOKS, "pvc")
    with pytest.raises(ValueError, match="pvc: see LOOKS"):
        list(docs_checks.section())


def test_no_generated_page_is_about_its_own_making_only(made: dict[str, str]) -> None:
    for path, text in made.items():
        if path.endswith(".md"):
            title, _, rest = text.partition("\n\n")
            assert title.startswith("# "), path
            assert rest.startswith("<!-- Generated by `make pages` from "), path
            assert "None" not in text, path
            assert "\\\\" not in text, path


def test_words_become_markdown_that_shows_them_as_they_are() -> None:
    assert code("a|b") == "<code>a&#124;b</code>"
    assert prose("a *b* [c] in `d|e`\n  f_g") == r"a \*b\* \[c\] in <code>d&#124;e</code> f_g"
    assert marked("set serving.cpu, or --dtype=half") == "set `serving.cpu`, or `--dtype=half`"
    assert (
        marked("its annotation serving.kserve.io/stop") == "its annotation serving.kserve.io/stop"
    )


def test_another_pipeline_with_other_parameters_is_refused(graph: Graph) -> None:
    fewer = replace(read(OVERLAPPED), parameters=graph.parameters[1:])
    with pytest.raises(ValueError, match="other parameters"):
        docs_pipeline.overlapped_page(graph, fewer)
