"""Submitting to a pipelines server: the file is uploaded once, the run gets what it must know."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.byte_path import told
from tests.pipelines_place import COMMIT, PipelinesPlace, pipelines_place


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[PipelinesPlace]:
    with pipelines_place(tmp_path) as found:
        yield found


def test_a_run_is_submitted_with_all_that_model_and_site_say(pipelines: PipelinesPlace) -> None:
    pipelines.entry = {"serving": {"gpus": 2, "args": ["--chat-template", "a b"]}}
    pipelines.site = {"mirror": "quay.io/team", "pvc": "big", "chunk_size": "100Mi"}
    done = pipelines.submit("--json")
    found = told(done)

    assert pipelines.server.writes == [
        "POST /pipelines",
        "POST /pipelines/upload_version",
        "POST /experiments",
        "POST /runs",
    ]
    [run] = pipelines.server.store.all("runs")
    assert run["run_id"] == found["run_id"]
    assert found["link"] == f"{pipelines.server.url}/apis/v2beta1/runs/{found['run_id']}"
    given = run["runtime_config"]["parameters"]
    assert given == found["parameters"]
    assert (given["model_name"], given["model_version"]) == ("tiny", "1.10")
    assert (given["hf_repo"], given["revision"]) == ("example/tiny", COMMIT)
    assert (given["gpu_count"], given["vllm_args"]) == ("2", "--chat-template 'a b'")
    assert (given["mirror_to"], given["pvc_name"]) == ("quay.io/team", "big")
    assert (given["namespace"], given["follow"]) == ("models", "false")
    assert run["display_name"].startswith("tiny-1.10-20")
    [experiment] = pipelines.server.store.all("experiments")
    assert experiment["display_name"] == "tiny"
    assert "the pipeline does without chunk_size of the site file" in done.stderr


def test_the_same_file_is_uploaded_once_and_a_changed_one_beside_it(
    pipelines: PipelinesPlace, tmp_path: Path
) -> None:
    assert told(pipelines.submit("--json"))["uploaded"]
    before = len(pipelines.server.writes)
    assert not told(pipelines.submit("--json"))["uploaded"]
    assert pipelines.server.writes[before:] == ["POST /runs"]

    changed = tmp_path / "changed.yaml"
    changed.write_text(f"# another\n{pipelines.pipeline.read_text()}")
    pipelines.pipeline = changed
    assert told(pipelines.submit("--json"))["uploaded"]
    names = [one["display_name"] for one in pipelines.server.store.all("versions")]
    assert len(set(names)) == 2
    assert all(name.startswith("sha256-") and len(name) == 19 for name in names)
    assert len(pipelines.server.store.all("pipelines")) == 1


def test_an_older_version_is_found_behind_many_pages(tmp_path: Path) -> None:
    with pipelines_place(tmp_path, largest_page=2) as pipelines:
        told(pipelines.submit("--json"))
        [pipeline] = pipelines.server.store.all("pipelines")
        for number in range(5):
            row = {"pipeline_id": pipeline["pipeline_id"], "display_name": f"other-{number}"}
            pipelines.server.store.add("versions", "pipeline_version_id", row)
        assert not told(pipelines.submit("--json"))["uploaded"]


def test_two_that_upload_at_once_use_one_version(pipelines: PipelinesPlace) -> None:
    server = pipelines.server
    made = told(pipelines.submit("--json"))
    [pipeline], [version] = server.store.all("pipelines"), server.store.all("versions")
    [experiment] = server.store.all("experiments")
    rows = {"pipelines": pipeline, "versions": version, "experiments": experiment}
    keys = {"pipelines": "pipeline_id", "versions": "pipeline_version_id"}
    keys["experiments"] = "experiment_id"
    for kind, row in rows.items():
        server.store.remove(kind, row)
        # Another makes it between this one's look and its creation.
        server.before_write.append(partial(server.store.add, kind, keys[kind], row))
    again = told(pipelines.submit("--json"))
    assert again["pipeline_version"] == made["pipeline_version"]
    assert [len(server.store.all(kind)) for kind in rows] == [1, 1, 1]
    assert server.store.all("runs")[-1]["pipeline_version_reference"] == {
        "pipeline_id": pipeline["pipeline_id"],
        "pipeline_version_id": version["pipeline_version_id"],
    }


def test_a_run_whose_creation_had_no_answer_is_not_started_twice(
    pipelines: PipelinesPlace,
) -> None:
    told(pipelines.submit("--json"))
    server = pipelines.server
    server.fail_after("/runs", 503)
    found = told(done := pipelines.submit("--json"))
    assert "but the run has begun" in done.stderr
    assert [one["run_id"] for one in server.store.all("runs")][1:] == [found["run_id"]]


def test_a_server_that_stumbles_over_a_look_is_asked_again(pipelines: PipelinesPlace) -> None:
    pipelines.server.fail("/pipelines", 503, method="GET", times=2)
    assert pipelines.submit().returncode == 0


def test_people_read_the_runs_id_and_its_address(pipelines: PipelinesPlace) -> None:
    done = pipelines.submit("--experiment", "nightly")
    [run] = pipelines.server.store.all("runs")
    link = f"{pipelines.server.url}/apis/v2beta1/runs/{run['run_id']}"
    assert done.stdout.splitlines() == [run["run_id"], link]
    assert pipelines.server.store.all("experiments")[0]["display_name"] == "nightly"
    assert not (pipelines.folder / "home").exists(), "nothing is written to the user's home"


def test_an_experiment_of_any_name_is_found_again(pipelines: PipelinesPlace) -> None:
    for _ in range(2):
        assert pipelines.submit("--experiment", "50% & a+b").returncode == 0
    assert len(pipelines.server.store.all("experiments")) == 1


def test_an_archived_experiment_is_told_with_its_remedy(pipelines: PipelinesPlace) -> None:
    assert pipelines.submit().returncode == 0
    pipelines.server.store.all("experiments")[0]["storage_state"] = "ARCHIVED"
    done = pipelines.submit()
    assert done.returncode == 1
    assert "restore the archived experiment tiny, or name one with --experiment" in done.stderr


def test_a_followed_branch_is_submitted_as_a_branch(pipelines: PipelinesPlace) -> None:
    pipelines.entry = {"revision": "v2"}
    given = told(pipelines.submit("--json", "--follow", "--move-version"))["parameters"]
    assert (given["revision"], given["follow"], given["move_version"]) == ("v2", "true", "true")


def test_a_file_that_lacks_what_the_model_needs_is_refused(
    pipelines: PipelinesPlace, tmp_path: Path
) -> None:
    spec, platform = yaml.safe_load_all(pipelines.pipeline.read_text())
    del spec["root"]["inputDefinitions"]["parameters"]["tolerations"]
    pipelines.pipeline = tmp_path / "older.yaml"
    pipelines.pipeline.write_text(yaml.safe_dump_all([spec, platform]))
    assert pipelines.submit().returncode == 0, "what says nothing is left out"
    pipelines.entry = {"serving": {"tolerations": ["spot"]}}
    refused = pipelines.submit()
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "older.yaml: it has no parameter tolerations: it is older than" in refused.stderr
    assert "make compile" in refused.stderr


def test_a_base_on_this_machines_disk_is_refused(pipelines: PipelinesPlace) -> None:
    pipelines.site = {"images": {"base": "oci:base:1"}}
    refused = pipelines.submit()
    assert (refused.returncode, pipelines.server.requests) == (2, [])
    assert "images.base of the site file: oci:base:1 is a folder of this machine" in refused.stderr


def test_a_file_that_the_server_refuses_is_told_in_its_words(
    pipelines: PipelinesPlace, tmp_path: Path
) -> None:
    spec, platform = yaml.safe_load_all(pipelines.pipeline.read_text())
    spec["root"]["novelty"] = True
    pipelines.pipeline = tmp_path / "newer.yaml"
    pipelines.pipeline.write_text(yaml.safe_dump_all([spec, platform]))
    refused = pipelines.submit()
    assert refused.returncode == 1
    assert "uploading " in refused.stderr
    assert "invalid v2 pipeline spec: " in refused.stderr
    assert "novelty" in refused.stderr
    assert "modelcar preflight --pipeline" in refused.stderr
    assert pipelines.server.store.all("versions") == []


@pytest.mark.parametrize("text", ["a: 1", "[1]", ""])
def test_a_file_that_is_no_pipeline_is_refused(
    pipelines: PipelinesPlace, tmp_path: Path, text: str
) -> None:
    pipelines.pipeline = tmp_path / "none.yaml"
    pipelines.pipeline.write_text(text)
    refused = pipelines.submit()
    assert refused.returncode == 2
    assert "none.yaml: it is no compiled pipeline; name what `make compile` wrote" in refused.stderr


def test_two_files_and_none_are_refused(pipelines: PipelinesPlace) -> None:
    both = pipelines.submit("--overlapped")
    assert (both.returncode, pipelines.server.requests) == (2, [])
    nothing = pipelines.run("submit", "tiny.yaml", "--skip-preflight")
    assert nothing.returncode == 2
    assert "file compiled/modelcar.yaml: No such file or directory" in nothing.stderr
