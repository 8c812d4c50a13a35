"""What a task leaves for its pod's status."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from modelcar import termination
from modelcar.values import StageRecord

IMAGE = {"name": "quay.io/models/tiny", "digest": "sha256:" + "a" * 64, "layers": [1, 2]}
RESULT: dict[str, object] = {
    "image": IMAGE,
    "layers": [{"digest": "sha256:" + "b" * 64}] * 500,
    "uri": "oci://quay.io/models/tiny",
    "seconds": 3,
}
RECORD = StageRecord("build", "succeeded", 1.5, 2.0, "done", result=RESULT)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "termination-log"
    path.touch()
    monkeypatch.setenv(termination.VARIABLE, str(path))
    return path


def test_what_is_left_is_read_again_without_what_is_long(file: Path) -> None:
    termination.leave(RECORD)
    termination.leave(StageRecord("register", "skipped", 2.0))

    build, register = termination.read(file.read_text())

    # A list is whole or empty, so that what is left of a result is still one of its kind.
    assert build.result == {**RESULT, "layers": [], "image": {**IMAGE, "layers": []}}
    assert (build.name, build.seconds, build.detail) == ("build", 2.0, "done")
    assert (register.name, register.status) == ("register", "skipped")


@pytest.mark.parametrize("letter", ["x", "\N{SNOWMAN}", '"', "\n"])
def test_two_records_are_never_more_than_kubernetes_keeps(file: Path, letter: str) -> None:
    long = letter * 5000
    parts = {"what": long, "why": long, "remedy": long}
    for name in ("mirror", "register"):
        termination.leave(StageRecord(name, "failed", 1.0, error=long, detail=long, result=parts))
    assert len(file.read_bytes()) <= 4096
    assert [record.name for record in termination.read(file.read_text())] == ["mirror", "register"]


def test_what_is_short_is_left_whole(file: Path) -> None:
    short = replace(RECORD, result={"layers": [1, 2], "card": "x" * 1000})
    termination.leave(short)
    assert termination.read(file.read_text()) == (short,)


def test_outside_a_pod_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "absent"
    monkeypatch.setenv(termination.VARIABLE, str(path))
    termination.leave(RECORD)
    assert not path.exists()


def test_a_line_that_is_no_record_is_passed_over() -> None:
    good = json.dumps(termination.short(RECORD))
    texts = ("", "Killed", "[]", "3", '{"name": "x"}')
    for text in texts:
        assert [one.name for one in termination.read(f"{text}\n{good}\n")] == ["build"]


PARTS = {"what": "deploying m", "why": "it crashed", "remedy": "take more GPUs"}
FAILED = StageRecord("deploy", "failed", 1.0, error="deploying m: it crashed; take more GPUs")


def test_an_error_is_told_once_by_its_parts() -> None:
    failed = replace(FAILED, result=PARTS)
    told = termination.short(failed)
    assert told["error"] == ""
    assert termination.read(json.dumps(told)) == (failed,)


def test_of_evidence_the_last_lines_are_left_and_no_model_card() -> None:
    lines = [f"{n:02d} {'x' * 97}" for n in range(30)]
    facts = {"license": "mit", "card": "y" * 5000}
    told = termination.short(replace(FAILED, result={**PARTS, "evidence": lines, "facts": facts}))
    assert told["result"] == {**PARTS, "evidence": lines[-12:], "facts": {"license": "mit"}}


def test_what_is_cut_has_a_mark_and_several_failures_are_whole() -> None:
    failures = "preflight: no rights\n" * 50
    told = termination.short(replace(FAILED, error=failures, result={"files": ["y" * 50] * 99}))
    assert told["error"] == failures
    cut = termination.short(replace(FAILED, error="x" * 3000))
    assert cut["error"] == "x" * 1200 + "\N{HORIZONTAL ELLIPSIS}"
