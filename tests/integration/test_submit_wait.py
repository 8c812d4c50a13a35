"""Following a run to its end: what is shown, what may pass, and what came out."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelcar.dsp.address import Address, Token
from modelcar.dsp.server import PipelinesServer
from modelcar.dsp.watch import Lines, wait
from modelcar.errors import PipelinesError
from tests.byte_path import MODELCAR, surroundings
from tests.pipelines_place import TOKEN, Done, PipelinesPlace, pipelines_place

WAIT = ("--wait", "--poll", "0.01")


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[PipelinesPlace]:
    with pipelines_place(tmp_path) as found:
        yield found


def frame(state: str, error: str = "", **tasks: str) -> dict[str, Any]:
    """Return a run in a state, with tasks as an Argo workflow's nodes tell them."""
    details = [{"task_id": "x", "display_name": "root", "state": state}]
    for minute, (name, told) in enumerate(tasks.items()):
        word, _, why = told.partition(": ")
        name = name.replace("_", "-")
        began = {"start_time": f"2026-01-01T00:{minute:02}:00Z"}
        details.append({"display_name": f"{name}-driver", "state": "SUCCEEDED", **began})
        ended = {} if word == "RUNNING" else {"end_time": f"2026-01-01T00:{minute:02}:30Z"}
        failure: dict[str, Any] = {"error": {"code": 2, "message": why}} if why else {}
        details.append({"display_name": name, "state": word, **began, **ended, **failure})
    whole = {"error": {"code": 2, "message": error}} if error else {}
    return {"state": state, "run_details": {"task_details": details}, **whole}


def changes(done: Done) -> list[str]:
    """Return what was said of tasks."""
    names = ("plan ", "download ", "build ", "verify ")
    return [line for line in done.stderr.splitlines() if line.startswith(names)]


def test_each_change_of_a_task_is_one_line(pipelines: PipelinesPlace) -> None:
    begun = frame("RUNNING", plan="RUNNING")
    further = frame("RUNNING", plan="SUCCEEDED", download="RUNNING")
    pipelines.server.frames = [
        frame("RUNTIME_STATE_UNSPECIFIED"),
        begun,
        begun,
        further,
        further,
        frame("SUCCEEDED", plan="SUCCEEDED", download="SUCCEEDED", verify="SUCCEEDED"),
    ]
    done = pipelines.submit(*WAIT)
    assert done.returncode == 0, done.stderr
    assert changes(done) == [
        "plan running",
        "plan succeeded (30s)",
        "download running",
        "download succeeded (30s)",
        "verify succeeded (30s)",
    ]
    assert "state      SUCCEEDED" in done.stdout.splitlines()


def test_a_try_that_failed_is_no_failure_while_another_is_to_come(
    pipelines: PipelinesPlace,
) -> None:
    tried = {"build": "RUNNING", "build(0)": "FAILED: the network"}
    again = {"build": "SUCCEEDED", "build(0)": "FAILED: the network", "build(1)": "SUCCEEDED"}
    only = {"plan(0)": "FAILED: the network", "plan(1)": "RUNNING"}
    pipelines.server.frames = [frame("RUNNING", **tried, **only), frame("SUCCEEDED", **again)]
    done = pipelines.submit(*WAIT)
    assert sorted(changes(done)) == ["build running", "build succeeded (30s)", "plan running"]


def test_a_failed_run_exits_1_with_what_its_server_tells(pipelines: PipelinesPlace) -> None:
    failed = frame("FAILED", "the run failed", plan="SUCCEEDED", download="FAILED: out of memory")
    pipelines.server.frames = [failed]
    done = pipelines.submit(*WAIT)
    [run] = pipelines.server.store.all("runs")
    assert done.returncode == 1
    said = done.stderr.splitlines()[-1]
    assert said.startswith(f"modelcar: run {run['run_id']}: download failed (30s): out of memory; ")
    assert f"oc logs -l pipeline/runid={run['run_id']}" in said
    assert "nothing is known but what the server tells" in done.stderr


def test_a_run_that_failed_as_a_whole_says_the_servers_word(pipelines: PipelinesPlace) -> None:
    pipelines.server.frames = [frame("FAILED", "the PVC modelcar was not found")]
    done = pipelines.submit(*WAIT)
    assert done.returncode == 1
    assert "the PVC modelcar was not found" in done.stderr.splitlines()[-1]


def test_a_cancelled_run_exits_1_and_says_so(pipelines: PipelinesPlace) -> None:
    pipelines.server.frames = [frame("CANCELING"), frame("CANCELED", plan="FAILED")]
    done = pipelines.submit(*WAIT)
    assert done.returncode == 1
    assert "it was cancelled; submit it again" in done.stderr.splitlines()[-1]


def test_scripts_get_one_object_at_the_end(pipelines: PipelinesPlace) -> None:
    pipelines.server.frames = [frame("FAILED", plan="FAILED: no")]
    done = pipelines.submit(*WAIT, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["state"]) == (1, "FAILED")
    assert (found["record"]["status"], found["record"]["model"]) == ("failed", "tiny")
    assert found["run_id"] == pipelines.server.store.all("runs")[0]["run_id"]


def test_a_server_that_is_away_for_a_while_is_waited_for(pipelines: PipelinesPlace) -> None:
    pipelines.server.frames = [frame("RUNNING", plan="RUNNING"), frame("SUCCEEDED")]
    for status in (503, 500):
        pipelines.server.fail_looks(status, times=3)
    done = pipelines.submit(*WAIT)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("looking again, the run goes on") == 1
    assert "HTTP 503" in done.stderr


def test_a_server_that_stays_away_ends_the_wait_and_not_the_run(
    pipelines: PipelinesPlace,
) -> None:
    pipelines.server.fail_looks(503, times=2)
    found = Address(pipelines.server.url, ca=pipelines.ca.read_text())
    server = PipelinesServer(found, Token(lambda: TOKEN))
    with pytest.raises(PipelinesError) as caught:
        wait(server, "an-id", {}, Lines(), interval=0.01, patience=0.0)
    assert caught.value.status == 503
    assert "the run itself goes on" in caught.value.__notes__[0]


def test_a_token_that_expires_is_read_again(pipelines: PipelinesPlace) -> None:
    """The first token stops to count when the run begins; the kubeconfig has another by then."""
    new = f"{TOKEN}-renewed"

    def renew() -> None:
        pipelines.kubeconfig(new)
        pipelines.server.tokens = {new}

    pipelines.server.frames = [frame("SUCCEEDED")]
    pipelines.server.before_look = renew
    done = pipelines.submit(*WAIT)
    assert done.returncode == 0, done.stderr
    assert "looking again" not in done.stderr


def test_a_token_that_nobody_renewed_is_asked_for_and_waited_for(
    pipelines: PipelinesPlace,
) -> None:
    new, looks = f"{TOKEN}-renewed", 0

    def renew() -> None:
        nonlocal looks
        looks += 1
        pipelines.server.tokens = {new}
        if looks == 3:
            pipelines.kubeconfig(new)

    pipelines.server.frames = [frame("SUCCEEDED")]
    pipelines.server.before_look = renew
    done = pipelines.submit(*WAIT)
    assert done.returncode == 0, done.stderr
    assert "log in again (`oc login`)" in done.stderr


def test_an_interrupt_leaves_the_run_alone(pipelines: PipelinesPlace) -> None:
    looked = threading.Event()
    pipelines.server.before_look = looked.set
    variables = surroundings(pipelines.folder, **pipelines.prepared())
    argv = [MODELCAR, "submit", "tiny.yaml", "--pipeline", str(pipelines.pipeline), *WAIT]
    process = subprocess.Popen(
        [*argv, "--skip-preflight"],
        cwd=pipelines.folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert looked.wait(60)
    command = Path(f"/proc/{process.pid}/cmdline").read_text()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    [run] = pipelines.server.store.all("runs")
    assert process.returncode == 130
    assert stderr.splitlines()[-1] == (
        f"modelcar: interrupted; the run goes on; `modelcar cancel {run['run_id']}` ends it"
    )
    assert stdout.splitlines()[0] == run["run_id"]
    assert run["state"] == "PENDING"
    assert TOKEN not in command + stdout + stderr
    assert not (pipelines.folder / "home").exists(), "nothing is written to the user's home"


def test_on_a_terminal_the_tasks_are_a_table(pipelines: PipelinesPlace) -> None:
    from io import StringIO

    from rich.console import Console

    from modelcar.dsp.live import Tables
    from modelcar.dsp.watch import Task

    shown = StringIO()
    with Tables(Console(file=shown, force_terminal=True, width=60)) as view:
        view.show((Task("plan", "succeeded", 30.0), Task("build", "running", 61.0)))
    assert "plan" in shown.getvalue()
    assert "1m 01s" in shown.getvalue()


def test_why_nothing_goes_on_is_said_once(
    pipelines: PipelinesPlace, caplog: pytest.LogCaptureFixture
) -> None:
    """A pod whose image cannot be had waits for ever, which its server calls running."""
    why = "the pod of mirror: its image cannot be pulled: manifest unknown"
    asked = 0

    def explain() -> list[str]:
        nonlocal asked
        asked += 1
        return [why]

    pipelines.submit()
    [run] = pipelines.server.store.all("runs")
    begun = frame("RUNNING", plan="RUNNING")
    pipelines.server.frames = [*[begun] * 12, frame("SUCCEEDED", plan="SUCCEEDED")]
    found = Address(pipelines.server.url, ca=pipelines.ca.read_text())
    server = PipelinesServer(found, Token(lambda: TOKEN))
    wait(server, run["run_id"], {}, Lines(), interval=0.001, explain=explain)

    assert asked > 1
    assert [one.message for one in caplog.records].count(why) == 1
