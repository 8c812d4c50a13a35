"""One moment of the live view, on terminals of several sizes."""

import io
import sys
import threading
import time
from typing import Any

import pytest
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from modelcar.errors import VerificationError
from modelcar.live import Live
from modelcar.live_rows import Row, Screen
from modelcar.standing import Standing
from modelcar.values import StageRecord
from modelcar.view import Recorder
from tests.screen import screen

NAMES = ("plan", "download", "build", "mirror", "register", "deploy")
IMAGE = f"quay.io/me/tiny@sha256:{'ab' * 32}"
SIZES = [(100, 30), (80, 24), (60, 12), (40, 24), (40, 8), (30, 6)]


def stage(name: str, status: Any, seconds: float = 0.0, detail: str = "", **more: Any) -> Row:
    return Row(name, StageRecord(name, status, 0.0, seconds, detail, **more), time.monotonic())


def building() -> list[Row]:
    begun = [
        stage("plan", "succeeded", 3.2, "2 layers, nothing reused"),
        stage("download", "skipped", 0.0, "straight through"),
        stage("build", "running"),
    ]
    return [*begun, *(Row(name) for name in NAMES[3:])]


def shown(
    rows: list[Row], width: int = 80, height: int = 24, *, transfers: int = 3, ended: bool = False
) -> list[str]:
    """Return the lines of a moment in which so many transfers run."""
    now = Standing("build", layers=9, there=2, to_move=10**9, reused=5 * 10**8)
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    bars = Progress(console=console)
    bars.add_task("total", total=10**9, completed=10**8)
    for number in range(transfers):
        bars.add_task(f"model-{number:05}-of-00030.safetensors", total=10**8, completed=10**7)
    total, *running = bars.tasks
    with console.capture() as captured:
        console.print(Screen(rows, now, running, total, ended, []))
    return [line.rstrip() for line in Text.from_ansi(captured.get()).plain.splitlines()]


def test_each_stage_has_its_state_and_its_line() -> None:
    lines = shown(building())
    assert lines[:2] == [
        "plan      done          3.2s  2 layers, nothing reused",
        "download  skipped             straight through",
    ]
    assert lines[2].startswith("build     running")
    assert lines[2].endswith("  2 of 9 layers stand")
    assert lines[3] == "mirror    waiting"
    assert lines[-1] == "500.0 MB reused"
    assert lines[-2].startswith("total ")
    assert "0.1/1.0 GB" in lines[-2]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_is_at_most_a_screenful(width: int, height: int) -> None:
    for transfers in (0, 1, 4, 40):
        lines = shown(building(), width, height, transfers=transfers)
        assert len(lines) < height
        assert max(len(line) for line in lines) <= width
        assert any(line.startswith("build ") for line in lines)
        assert any(line.startswith("total") for line in lines)


@pytest.mark.parametrize("height", [2, 3, 4, 5])
def test_a_terminal_of_few_lines_is_not_overrun(height: int) -> None:
    lines = shown(building(), 80, height)
    assert len(lines) < height
    assert lines[0].startswith("build ")


def test_bars_beyond_a_few_are_counted() -> None:
    lines = shown(building(), 80, 40, transfers=40)
    assert len([line for line in lines if line.startswith("model-")]) == 8
    assert "and 32 more" in lines


def test_a_narrow_terminal_has_a_percentage_for_a_bar_and_texts_below() -> None:
    lines = shown(building(), 40, 24)
    assert lines[:2] == ["plan      done          3.2s", "  2 layers, nothing reused"]
    bar = next(line for line in lines if line.startswith("model-00001"))
    assert "10%" in bar


def test_in_the_end_there_are_the_stages_only_whole_and_with_short_digests() -> None:
    rows = [stage("build", "succeeded", 61.0, f"{IMAGE}: {'x' * 60} uploaded"), Row("mirror")]
    lines = shown(rows, ended=True)
    assert lines[0].startswith("build     done        1m 01s  quay.io/me/tiny@sha256:abababababab…")
    assert "".join(lines).count("x") == 60
    assert lines[-1] == "mirror    not begun"


def test_what_failed_says_why_and_an_interrupt_is_no_failure() -> None:
    told = {"why": "the registry is full"}
    failed = stage("build", "failed", 1.0, error="pushing: the registry is full", result=told)
    ended = stage("build", "failed", 1.0, result={"why": "it was interrupted"})
    assert shown([failed], ended=True) == ["build     failed        1.0s  the registry is full"]
    assert shown([ended], ended=True) == ["build     interrupted   1.0s"]


def test_what_comes_from_elsewhere_does_not_steer_the_terminal() -> None:
    rows = [stage("plan", "succeeded", 1.0, "a\x1b[2Jb [red]c[/red]")]
    assert "b [red]c[/red]" in shown(rows)[0]
    assert "\x1b" not in shown(rows)[0]


def test_a_view_that_does_not_last_leaves_nothing() -> None:
    written = io.StringIO()
    console = Console(file=written, width=80, force_terminal=True)
    view = Live(("plan",), lasting=False, console=console)
    with view, Recorder(view).stage("plan"):
        assert screen(written.getvalue(), 80)
    assert screen(written.getvalue(), 80) == []


def test_bytes_that_are_wrong_and_fetched_again_count_once_in_the_total() -> None:
    view = Live(NAMES, console=Console(file=io.StringIO(), width=80, force_terminal=True))
    with pytest.raises(VerificationError), view.transfer("push a", 10) as advance:
        advance(10)
        raise VerificationError("checking")
    with view.transfer("push a", 10) as advance:
        advance(10)
    assert (view.screen().total.completed, view.standing.moved) == (10, 10)


def test_once_it_is_still_no_picture_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcar.live._PAUSE", 0.0005)
    written = io.StringIO()
    with Live(NAMES, console=Console(file=written, width=80, force_terminal=True)) as view:
        view.still(60.0)
        drawn = written.getvalue()
        for thread in threading.enumerate():
            if thread.name == "view":
                thread.join(1.0)  # it has ended, or waits for good
        assert written.getvalue() == drawn


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_lines_that_are_logged_meanwhile_stand_above_each_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The view changes its height all the while, and is drawn by another thread."""
    terminal = Terminal()
    for name, text in {"COLUMNS": "40", "LINES": "24", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr("modelcar.live._PAUSE", 0.0005)
    said = [f"line {number}" for number in range(300)]
    with Live(NAMES) as view:
        for number, text in enumerate(said):
            detail = "a text below" * (number % 2)
            view.stage(StageRecord("plan", "succeeded", 0.0, 1.0, detail))
            sys.stderr.write(f"{text}\n")
    lines = screen(terminal.getvalue().replace("\n", "\r\n"), 40)
    assert lines[:300] == said
    assert [line.split()[0] for line in lines[300:] if not line.startswith(" ")] == [*NAMES]
