"""Listing the runs of a pipelines server, and ending one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.byte_path import refused, told
from tests.pipelines_place import PipelinesPlace, pipelines_place


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[PipelinesPlace]:
    with pipelines_place(tmp_path, largest_page=2) as found:
        yield found


def submitted(pipelines: PipelinesPlace) -> str:
    return str(told(pipelines.submit("--json"))["run_id"])


def test_runs_are_listed_newest_first(pipelines: PipelinesPlace) -> None:
    first = submitted(pipelines)
    pipelines.entry = {"name": "other", "version": "2"}
    second = submitted(pipelines)
    pipelines.server.store.add("runs", "run_id", {"run_id": "theirs", "display_name": "x"})
    [one] = pipelines.server.store.all("runs", run_id=first)
    one |= {"state": "SUCCEEDED", "finished_at": "2026-01-01T01:00:00Z"}

    found = told(pipelines.run("runs", "--json"))
    assert [one["run_id"] for one in found] == ["theirs", second, first]
    assert [one["model"] for one in found] == ["", "other", "tiny"]
    assert (found[2]["state"], found[2]["version"]) == ("SUCCEEDED", "1.10")
    assert found[2]["seconds"] == 3600 - 60 * int(one["created_at"][14:16])

    assert [one["run_id"] for one in told(pipelines.run("runs", "tiny", "--json"))] == [first]
    assert len(told(pipelines.run("runs", "--limit", "2", "--json"))) == 2
    lines = pipelines.run("runs").stdout.splitlines()
    assert lines[0].split() == ["RUN", "STATE", "CREATED", "TIME", "MODEL", "VERSION"]
    assert lines[3].split()[0] == first
    assert "58m" in lines[3] or "57m" in lines[3] or "56m" in lines[3]


def test_archived_runs_are_left_out(pipelines: PipelinesPlace) -> None:
    submitted(pipelines)
    pipelines.server.store.all("runs")[0]["storage_state"] = "ARCHIVED"
    assert told(pipelines.run("runs", "--json")) == []


def test_a_run_is_cancelled_and_once_it_has_ended_left_alone(pipelines: PipelinesPlace) -> None:
    run_id = submitted(pipelines)
    done = pipelines.run("cancel", run_id)
    assert (done.returncode, done.stdout) == (0, f"{run_id} is being cancelled\n")
    [run] = pipelines.server.store.all("runs")
    assert run["state"] == "CANCELING"

    run["state"] = "CANCELED"
    before = len(pipelines.server.writes)
    again = pipelines.run("cancel", run_id)
    assert (again.returncode, again.stdout) == (0, f"{run_id} has ended already: CANCELED\n")
    assert pipelines.server.writes[before:] == []


def test_a_run_that_ends_just_then_is_no_failure(pipelines: PipelinesPlace) -> None:
    run_id = submitted(pipelines)
    [run] = pipelines.server.store.all("runs")
    pipelines.server.before_write.append(lambda: run.update(state="SUCCEEDED"))
    done = pipelines.run("cancel", run_id)
    assert (done.returncode, done.stdout) == (0, f"{run_id} has ended already: SUCCEEDED\n")


def test_a_run_that_nobody_knows_is_an_error(pipelines: PipelinesPlace) -> None:
    done = pipelines.run("cancel", "no-such-run")
    refused(done, "run no-such-run", "not found (HTTP 404)", "`modelcar runs` lists")
