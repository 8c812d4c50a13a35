"""The pipeline's two tasks of the Model Registry, as the component calls them."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from modelcar import plan
from modelcar.hub import Hub
from modelcar.tasks.register import Asked, Registered, make
from modelcar.values import ImageFacts, Model, ModelSource, to_json
from modelcar.workfolder import WorkFolder
from tests.byte_path import REPO, tiny
from tests.model_registry_runs import one_of_each, properties
from tests.servers.hub import HubServer
from tests.servers.model_registry import ModelRegistryServer

DIGEST = f"sha256:{'a' * 64}"
URL = "https://tiny.example"


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    work = WorkFolder(tmp_path)
    with HubServer({REPO: tiny()}) as hub:
        made = plan.make(
            Model("tiny", "1.0", ModelSource.parse(f"hf://{REPO}")), work, Hub(hub.url)
        )
    assert made.commit
    facts = ImageFacts(made.commit, 3, 4_000_000_000, {"license": "apache-2.0"})
    return Asked(
        hf_repo=REPO,
        commit=made.commit,
        model_name="tiny",
        model_version="1.0",
        include="",
        exclude="",
        allow_pickle="false",
        model_description="",
        plan_sha256=str(work.save(made)),
        reference=f"quay.example/models/tiny@{DIGEST}",
        image_facts=json.dumps(to_json(facts)),
        model_registry_url="",
        move_version="false",
        follow="false",
        run_name="nightly",
        workdir=str(tmp_path),
        mirror_destination="docker://quay.example/mirror/tiny:1.0",
        mirror_digest=DIGEST,
        endpoint="",
    )


def record(asked: Asked, name: str) -> dict[str, str]:
    (path,) = Path(asked.workdir).glob(f"records/local/*-{name}.json")
    found: dict[str, str] = json.loads(path.read_text())
    return found


def test_what_answers_is_recorded_at_its_version_once(asked: Asked) -> None:
    with ModelRegistryServer() as server:
        there = replace(asked, model_registry_url=server.url)
        registered = make(there)
        assert make(replace(there, endpoint=URL)) == registered
        writes = len(server.writes)
        assert make(replace(there, endpoint=URL)) == registered
        assert len(server.writes) == writes
        model, version, artifact = one_of_each(server)

    found = properties(version)
    assert registered.ids == (model["id"], version["id"])
    assert registered.uri == artifact["uri"] == f"oci://quay.example/models/tiny@{DIGEST}"
    # The dashboard makes a link of these.
    assert registered.link == {
        "registeredModelId": model["id"],
        "modelVersionId": version["id"],
        "registeredModelName": "tiny",
        "modelVersionName": "1.0",
        "modelRegistryName": "127",
    }
    assert (found["verified_url"], found["verified_digest"]) == (URL, DIGEST)
    assert (found["mirror"], found["tasks"]) == (
        f"quay.example/mirror/tiny@{DIGEST}",
        "text-generation",
    )
    assert (artifact["modelSourceId"], artifact["modelSourceName"]) == ("local", "nightly")
    assert record(asked, "verify")["detail"] == (
        f"the answer of {URL} was recorded already at tiny 1.0"
    )


def test_a_manifest_is_no_endpoint(asked: Asked) -> None:
    with ModelRegistryServer() as server:
        there = replace(asked, model_registry_url=server.url)
        make(there)
        writes = len(server.writes)
        path = f"{asked.workdir}/inferenceservice.yaml"
        assert make(replace(there, endpoint=path)) == Registered()
        assert len(server.writes) == writes

    told = record(asked, "verify")
    assert (told["status"], told["detail"]) == ("skipped", "nothing was deployed")


def test_without_a_model_registry_both_are_skipped(asked: Asked) -> None:
    assert make(asked) == Registered()
    assert make(replace(asked, endpoint=URL)) == Registered()
    assert record(asked, "register")["detail"] == "no Model Registry is named"
    assert record(asked, "verify")["detail"] == "nothing was registered"


def test_a_switch_that_is_neither_is_one_line(
    asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    with ModelRegistryServer() as server, pytest.raises(SystemExit) as caught:
        wrong = replace(asked, model_registry_url=server.url, follow="perhaps")
        make(wrong)

    assert caught.value.code == 2
    assert "parameter follow: 'perhaps' is neither true nor false; write one of them" in caplog.text
