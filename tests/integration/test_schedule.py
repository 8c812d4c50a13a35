"""Schedules: exactly one enabled recurring run a model version, whatever stood there before."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.byte_path import told
from tests.pipelines_place import PipelinesPlace, pipelines_place


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[PipelinesPlace]:
    with pipelines_place(tmp_path) as found:
        yield found


def standing(pipelines: PipelinesPlace) -> list[dict[str, Any]]:
    return pipelines.server.store.all("recurringruns")


def test_a_schedule_is_enabled_alone_and_catches_nothing_up(pipelines: PipelinesPlace) -> None:
    done = pipelines.schedule("0 3 * * *")
    [made] = standing(pipelines)
    assert done["created"]
    assert made["recurring_run_id"] == done["schedule"]["recurring_run_id"]
    assert (made["display_name"], made["mode"]) == ("modelcar-tiny-1.10", "ENABLE")
    assert made["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * *"}}
    assert (made["no_catchup"], made["max_concurrency"]) == (True, "1")
    assert made["runtime_config"]["parameters"]["model_version"] == "1.10"


def test_a_second_time_nothing_is_written(pipelines: PipelinesPlace) -> None:
    first = pipelines.schedule()
    before = len(pipelines.server.writes)
    second = pipelines.schedule("0 0 3 * * *")
    assert pipelines.server.writes[before:] == []
    assert (second["created"], second["schedule"]) == (False, first["schedule"])


@pytest.mark.parametrize("change", ["cron", "parameters", "pipeline", "disabled"])
def test_what_differs_is_replaced_the_new_one_first(
    pipelines: PipelinesPlace, change: str, tmp_path: Path
) -> None:
    first = pipelines.schedule()["schedule"]["recurring_run_id"]
    before, cron = len(pipelines.server.writes), "0 3 * * *"
    if change == "cron":
        cron = "0 4 * * mon-fri"
    elif change == "parameters":
        pipelines.entry = {"serving": {"memory": "64Gi"}}
    elif change == "pipeline":
        text = pipelines.pipeline.read_text()
        pipelines.pipeline = tmp_path / "other.yaml"
        pipelines.pipeline.write_text(f"# another\n{text}")
    else:
        standing(pipelines)[0]["mode"] = "DISABLE"

    done = pipelines.schedule(cron)

    [left] = standing(pipelines)
    assert (done["created"], done["deleted"]) == (True, 1)
    assert left["recurring_run_id"] == done["schedule"]["recurring_run_id"] != first
    assert left["mode"] == "ENABLE"
    written = [one for one in pipelines.server.writes[before:] if "recurringruns" in one]
    assert written == ["POST /recurringruns", f"DELETE /recurringruns/{first}"]


def test_duplicates_and_disabled_leftovers_are_repaired(pipelines: PipelinesPlace) -> None:
    pipelines.schedule()
    [good] = standing(pipelines)
    twin = {**good, "recurring_run_id": "z-twin", "created_at": "2026-12-01T00:00:00Z"}
    leftover = {**twin, "recurring_run_id": "leftover", "mode": "DISABLE", "status": "DISABLED"}
    for row in (leftover, twin):
        pipelines.server.store.add("recurringruns", "recurring_run_id", row)

    done = pipelines.schedule()

    assert (done["created"], done["deleted"]) == (False, 2)
    assert standing(pipelines) == [good]


def test_two_that_schedule_at_once_keep_the_same_one(pipelines: PipelinesPlace) -> None:
    pipelines.schedule()
    [good] = standing(pipelines)
    pipelines.server.store.remove("recurringruns", good)
    # Another makes one between this one's look and its creation.
    add = lambda: pipelines.server.store.add("recurringruns", "recurring_run_id", good)  # noqa: E731
    pipelines.server.before_write.append(add)
    done = pipelines.schedule()
    assert (done["created"], done["deleted"]) == (True, 1)
    assert standing(pipelines) == [good]


def test_other_versions_models_and_hands_are_left_alone(pipelines: PipelinesPlace) -> None:
    pipelines.schedule()
    [mine] = standing(pipelines)
    pipelines.server.store.add(
        "recurringruns",
        "recurring_run_id",
        {**mine, "recurring_run_id": "theirs", "display_name": "nightly"},
    )
    pipelines.entry = {"version": "2.0"}
    assert pipelines.schedule()["deleted"] == 0
    pipelines.entry = {"name": "tiny-1", "version": "10"}
    assert pipelines.schedule()["deleted"] == 0
    names = {one["display_name"] for one in standing(pipelines)}
    assert names == {"modelcar-tiny-1.10", "modelcar-tiny-2.0", "modelcar-tiny-1-10", "nightly"}


def test_names_that_would_be_alike_do_not_take_each_others_place(
    pipelines: PipelinesPlace,
) -> None:
    for name, version in (("tiny", "1-10"), ("tiny-1", "10")):
        pipelines.entry = {"name": name, "version": version}
        assert pipelines.schedule()["deleted"] == 0
    models = [one["runtime_config"]["parameters"]["model_name"] for one in standing(pipelines)]
    assert models == ["tiny", "tiny-1"]


def test_a_branch_is_refused_unless_it_is_followed(pipelines: PipelinesPlace) -> None:
    pipelines.entry = {"commit": "", "revision": "main"}
    given = ("tiny.yaml", "--pipeline", str(pipelines.pipeline), "--skip-preflight")
    refused = pipelines.run("schedule", *given, "--cron", "0 3 * * *")
    assert (refused.returncode, pipelines.server.requests) == (2, [])
    assert "main of hf://example/tiny may move" in refused.stderr
    assert "run `modelcar pin tiny`, or register each commit with --follow" in refused.stderr

    pipelines.schedule("0 3 * * *", "--follow")
    [made] = standing(pipelines)
    given_to_it = made["runtime_config"]["parameters"]
    assert (given_to_it["revision"], given_to_it["follow"]) == ("main", "true")


def test_what_is_pinned_is_followed_at_its_branch(pipelines: PipelinesPlace) -> None:
    pipelines.entry = {"revision": "v2"}
    pipelines.schedule("0 3 * * *", "--follow")
    [made] = standing(pipelines)
    assert made["runtime_config"]["parameters"]["revision"] == "v2"


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("0 3 * *", "it has 4 fields"),
        ("0 24 * * *", "hour: '24' is not 0 to 23"),
        ("0 3 * * 7", "day of the week: '7' is not 0 to 6, or sun to sat"),
        ("", "it has 0 fields"),
    ],
)
def test_a_bad_expression_is_refused_and_its_field_is_named(
    pipelines: PipelinesPlace, cron: str, why: str
) -> None:
    given = ("tiny.yaml", "--pipeline", str(pipelines.pipeline), "--skip-preflight")
    refused = pipelines.run("schedule", *given, "--cron", cron)
    assert (refused.returncode, pipelines.server.requests) == (2, [])
    assert why in refused.stderr


def test_schedules_are_listed_with_their_last_run(pipelines: PipelinesPlace) -> None:
    made = pipelines.schedule()["schedule"]["recurring_run_id"]
    for state in ("SUCCEEDED", "FAILED"):
        row = {"recurring_run_id": made, "display_name": "tiny", "state": state}
        pipelines.server.store.add("runs", "run_id", row)
    newest = pipelines.server.store.all("runs")[-1]

    [found] = told(pipelines.run("schedules", "--json"))
    assert (found["model"], found["version"], found["cron"]) == ("tiny", "1.10", "0 0 3 * * *")
    assert (found["enabled"], found["last_state"]) == (True, "FAILED")
    assert (found["last_run"], found["last_created"]) == (newest["run_id"], newest["created_at"])
    assert pipelines.run("schedules").stdout.splitlines()[1].split()[:2] == ["tiny", "1.10"]


def test_unschedule_takes_all_versions_away_and_can_be_repeated(pipelines: PipelinesPlace) -> None:
    for version in ("1.10", "1.11"):
        pipelines.entry = {"version": version}
        pipelines.schedule()
    done = pipelines.run("unschedule", "tiny")
    assert done.stdout.splitlines() == [
        "modelcar-tiny-1.10 is deleted",
        "modelcar-tiny-1.11 is deleted",
    ]
    assert standing(pipelines) == []
    again = pipelines.run("unschedule", "tiny")
    assert (again.returncode, again.stdout) == (0, "tiny has no schedule\n")


def test_one_that_was_killed_before_it_deleted_is_finished_by_the_next(
    pipelines: PipelinesPlace,
) -> None:
    pipelines.schedule("0 3 * * *")
    [old] = standing(pipelines)
    pipelines.server.fail(f"/recurringruns/{old['recurring_run_id']}", 500, method="DELETE")
    given = ("tiny.yaml", "--pipeline", str(pipelines.pipeline), "--skip-preflight")
    broken = pipelines.run("schedule", *given, "--cron", "0 4 * * *")
    assert broken.returncode == 1
    assert len(standing(pipelines)) == 2
    done = pipelines.schedule("0 4 * * *")
    assert (done["created"], done["deleted"]) == (False, 1)
    [left] = standing(pipelines)
    assert left["trigger"]["cron_schedule"]["cron"] == "0 0 4 * * *"


def test_lists_are_read_to_their_last_page(tmp_path: Path) -> None:
    with pipelines_place(tmp_path, largest_page=1) as pipelines:
        for version in ("1", "2", "3"):
            pipelines.entry = {"version": version}
            pipelines.schedule()
        before = len(pipelines.server.writes)
        pipelines.schedule()
        assert pipelines.server.writes[before:] == []
        found = json.loads(pipelines.run("schedules", "--json").stdout)
    assert [one["version"] for one in found] == ["1", "2", "3"]
