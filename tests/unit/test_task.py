import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelcar import run_summary, task, termination
from modelcar.errors import UsageError
from modelcar.values import StageRecord

RUN = "1b2c-3d4e"
PROGRAM = """
import os, sys
from modelcar.errors import ModelCarError, UsageError
from modelcar.task import task
with task("build", sys.argv[1]) as record:
    {}
print("after")
"""


def run(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(body), str(folder)],
        env={**os.environ, task.RUN_ID: RUN},
        capture_output=True,
        text=True,
        check=False,
    )


def record(folder: Path) -> StageRecord:
    (found,) = run_summary.read(folder, RUN)
    return found


def test_a_stage_that_succeeds_leaves_its_record(tmp_path: Path) -> None:
    done = run(tmp_path, 'record.done({"a": 1}, "what came out")')
    assert (done.returncode, done.stdout) == (0, "after\n")
    found = record(tmp_path)
    assert (found.name, found.status, found.detail) == ("build", "succeeded", "what came out")
    assert found.result == {"a": 1}


@pytest.mark.parametrize(("kind", "code"), [("ModelCarError", 1), ("UsageError", 2)])
def test_an_error_of_ours_is_one_line_an_exit_code_and_a_record(
    tmp_path: Path, kind: str, code: int
) -> None:
    done = run(tmp_path, f'raise {kind}("pushing", "it broke", "mend it")')
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == "build failed: pushing: it broke; mend it\n"
    found = record(tmp_path)
    assert (found.status, found.error) == ("failed", "pushing: it broke; mend it")
    assert found.result == {"what": "pushing", "why": "it broke", "remedy": "mend it"}


def test_a_fault_of_our_own_keeps_its_traceback_and_leaves_a_record(tmp_path: Path) -> None:
    done = run(tmp_path, "1 / 0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" in done.stderr
    assert record(tmp_path).error == "ZeroDivisionError: division by zero"


def test_a_stage_that_is_killed_is_seen_as_running(tmp_path: Path) -> None:
    assert run(tmp_path, "os._exit(137)").returncode == 137
    assert record(tmp_path).status == "running"


def test_a_task_that_is_told_to_end_says_so_and_goes_on_next_time(tmp_path: Path) -> None:
    done = run(tmp_path, "import signal; os.kill(os.getpid(), signal.SIGTERM)")
    assert (done.returncode, done.stdout) == (143, "")
    why = "it was stopped: the run was cancelled, or its pod evicted"
    assert done.stderr == (
        f"build failed: this task: {why}; run it again: it goes on where it stopped\n"
    )
    found = record(tmp_path)
    assert (found.status, found.result["why"]) == ("failed", why)


def test_a_task_without_a_work_folder_leaves_its_record_to_the_pod(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = tmp_path / "message"
    message.touch()
    monkeypatch.setenv(termination.VARIABLE, str(message))
    program = PROGRAM.format('raise UsageError("plan", "it broke", "mend it")')
    argv = [sys.executable, "-c", program, ""]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    (found,) = termination.read(message.read_text())
    assert (found.name, found.status) == ("build", "failed")
    assert found.result == {"what": "plan", "why": "it broke", "remedy": "mend it"}
    assert [path.name for path in tmp_path.iterdir()] == ["message"]


def test_a_work_folder_that_is_not_absolute_is_wrong_use() -> None:
    done = run(Path("relative"), "pass")
    assert done.returncode == 2
    assert done.stderr == (
        "build failed: parameter workdir: 'relative' is not an absolute path; "
        "name a folder of the volume claim\n"
    )
    with pytest.raises(UsageError):
        task.root("")


def test_outside_a_pipeline_the_run_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, expected in (("", "local"), (RUN, RUN)):
        monkeypatch.setenv(task.RUN_ID, given)
        assert task.run_id() == expected
