"""A command's work as log lines: few of them, and each whole."""

import logging
from pathlib import Path

import pytest

from modelcar.errors import ImageError, Stopped, VerificationError
from modelcar.records import RunRecorder
from modelcar.view import Lines, Recorder, Unseen

MEGABYTE = 1_000_000


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "modelcar")
    return caplog


def test_a_line_as_a_stage_begins_and_one_as_it_ends(said: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(Lines())
    with recorder.stage("plan") as stage:
        stage.done({}, "nothing changed")
    with recorder.stage("mirror") as stage:
        stage.skip("no mirror is named")
    assert said.messages == [
        "plan: begins",
        "plan: done after 0.0s: nothing changed",
        "mirror: begins",
        "mirror: skipped: no mirror is named",
    ]


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (ImageError("pushing"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (Stopped(), "interrupted"),
    ],
    ids=["error", "interrupt", "SIGTERM"],
)
def test_an_interrupt_is_no_failure(
    said: pytest.LogCaptureFixture, error: BaseException, word: str
) -> None:
    with pytest.raises(type(error)), Recorder(Lines()).stage("build"):
        raise error
    assert said.messages[-1] == f"build: {word} after 0.0s"


def test_the_records_are_written_as_without_a_view(tmp_path: Path) -> None:
    for name, recorder in (
        ("seen", Recorder(Unseen(), tmp_path / "seen", "run")),
        ("plain", RunRecorder(tmp_path / "plain", "run")),
    ):
        with recorder.stage("plan") as stage:
            stage.done({"a": 1})
        (record,) = (tmp_path / name / "records/run").iterdir()
        assert '"status": "succeeded"' in record.read_text()


def test_a_transfer_says_little_while_it_is_short(said: pytest.LogCaptureFixture) -> None:
    with Lines().transfer("push a", 100 * MEGABYTE) as advance:
        for _ in range(100):
            advance(MEGABYTE)
    assert [text.partition(" in ")[0] for text in said.messages] == ["push a: 100.0 MB"]


def test_a_long_one_tells_after_each_tenth(
    said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelcar.view._PAUSE", 0.0)
    with Lines().transfer("push a", 100 * MEGABYTE) as advance:
        for _ in range(100):
            advance(MEGABYTE)
    assert [text.partition(",")[0] for text in said.messages[:-1]] == [
        f"push a: {tenth}0% of 100.0 MB" for tenth in range(1, 11)
    ]
    assert said.messages[3].endswith(" left")


def test_what_another_program_moves_is_told_and_counts_nowhere(
    said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelcar.view._PAUSE", 0.0)
    view = Lines()
    with view.aside("mirror x") as advance:
        advance(3 * MEGABYTE)
    assert said.messages[0].startswith("mirror x: 3.0 MB, ")
    assert (view.standing.moved, view.standing.there) == (0, 0)


def test_a_transfer_that_breaks_off_does_not_stand() -> None:
    view = Unseen()
    with pytest.raises(ImageError), view.transfer("push a", 10) as advance:
        advance(4)
        raise ImageError("pushing")
    assert (view.standing.moved, view.standing.there) == (4, 0)


def test_bytes_that_are_wrong_and_fetched_again_count_once() -> None:
    view = Unseen()
    with pytest.raises(VerificationError), view.transfer("push a", 10) as advance:
        advance(10)
        raise VerificationError("checking")
    with view.transfer("push a", 10) as advance:
        advance(10)
    assert (view.standing.moved, view.standing.there) == (10, 1)


def test_what_the_cluster_is_waited_for_is_known_while_the_view_is_there() -> None:
    log = logging.getLogger("modelcar.serving.watching")
    log.setLevel(logging.INFO)
    view = Unseen()
    with view:
        log.info("%s: %s", "tiny", "pulling")
    log.info("%s: %s", "tiny", "ready")
    assert view.standing.note == "tiny: pulling"
