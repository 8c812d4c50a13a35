"""The versions of a model as they are listed, archived and restored."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelcar.errors import ModelRegistryError
from modelcar.model_registry import Connection
from modelcar.model_registry.versions import NAMED, digests, versions
from modelcar.register import verified
from modelcar.values import Digest, ModelVersion
from tests.model_registry_runs import IMAGE, MODEL, OTHER, RECORD, RUN, registered
from tests.servers.loopback import Request, Response
from tests.servers.model_registry import ModelRegistryServer

MODELCAR = str(Path(sys.executable).parent / "modelcar")
URL = "https://mistral.example"


def modelcar(server: ModelRegistryServer, *argv: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MODEL_REGISTRY_URL": server.url}
    return subprocess.run([MODELCAR, *argv], env=environment, capture_output=True, text=True)


def serve(server: ModelRegistryServer, of: ModelVersion, **more: Any) -> None:
    """Add an inference service as OpenShift AI's controller does."""
    ids = {"registeredModelId": of.registered_model_id, "modelVersionId": of.version_id}
    fields = {"name": "mistral/uid", "servingEnvironmentId": "1", **ids, **more}
    server.store.create("service", "", fields)


def many(server: ModelRegistryServer, count: int) -> None:
    """Add a model of so many versions."""
    model = server.store.create("model", "", {"name": "many"})
    for number in range(count):
        fields = {"name": f"{number}", "registeredModelId": model["id"]}
        version = server.store.create("version", model["id"], fields)
        uri = f"oci://quay.example/many@sha256:{number:064x}"
        server.store.create("artifact", version["id"], {"name": "many", "uri": uri})


def test_versions_are_listed_with_what_became_of_them() -> None:
    with ModelRegistryServer() as server:
        told = verified(RECORD, IMAGE, URL)
        first = registered(server, record=told, run=RUN)
        serve(server, first)
        serve(server, first, name="old/uid", desiredState="UNDEPLOYED")
        version = server.store.create(
            "version",
            first.registered_model_id,
            {"name": "2.0", "registeredModelId": first.registered_model_id, "state": "ARCHIVED"},
        )
        listed = modelcar(server, "versions", "mistral", "--json")
        shown = modelcar(server, "versions", "mistral")
        created = [int(item["createTimeSinceEpoch"]) for item in server.store.all("version")]

    assert listed.returncode == 0, listed.stderr
    answer = json.loads(listed.stdout)
    second, row = answer["versions"]
    assert answer["model"] == "mistral"
    assert (row["name"], row["id"], row["state"]) == ("1.0", first.version_id, "LIVE")
    assert (row["uri"], row["digest"]) == (first.uri, str(IMAGE.digest))
    assert (row["run"], row["deployed"]) == ("nightly", ["mistral/uid"])
    assert row["verified"] == f"{told.properties['verified_at']} {URL}"
    assert (second["name"], second["id"], second["state"]) == ("2.0", version["id"], "ARCHIVED")
    assert (second["uri"], second["run"], second["deployed"]) == ("", "", [])
    assert created == sorted(created)
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[0][:4] == ["VERSION", "DIGEST", "STATE", "CREATED"]
    assert lines[1][:3] == ["2.0", "-", "ARCHIVED"]
    assert lines[2][:3] == ["1.0", str(IMAGE.digest), "LIVE"]
    assert lines[2][4:] == ["nightly", "mistral/uid", told.properties["verified_at"], URL]


def test_an_answer_of_another_image_verifies_nothing() -> None:
    with ModelRegistryServer() as server:
        registered(server, record=verified(RECORD, IMAGE, URL))
        registered(server, OTHER, move_version=True)
        (found,) = versions(Connection(server.url), "mistral")

    assert (found.digest, found.verified) == (str(OTHER.digest), "")


def test_a_model_that_is_not_registered_has_no_versions() -> None:
    with ModelRegistryServer() as server:
        with pytest.raises(ModelRegistryError, match="there is no such model; register it"):
            versions(Connection(server.url), "none")
        assert digests(Connection(server.url), "none") == ()


def test_a_thousand_versions_are_listed_page_by_page() -> None:
    with ModelRegistryServer() as server:
        many(server, 1000)
        found = versions(Connection(server.url), "many")
        pages = [seen for seen in server.requests if "/versions?" in seen.target]
        server.requests.clear()
        named = digests(Connection(server.url), "many")
        artifacts = [seen for seen in server.requests if "/artifacts?" in seen.target]

    assert [item.name for item in found] == [f"{number}" for number in reversed(range(1000))]
    assert [item.digest for item in found] == [f"sha256:{n:064x}" for n in reversed(range(1000))]
    assert len(pages) == 10
    assert named == tuple(Digest(f"{number:064x}") for number in reversed(range(900, 1000)))
    assert len(artifacts) == NAMED


def test_a_version_is_archived_and_brought_back() -> None:
    with ModelRegistryServer(("v1alpha3", "v1")) as server:
        registered(server, properties={"license": "mit"})
        (before,) = server.store.all("version")
        archived = modelcar(server, "archive", "mistral", "1.0")
        (between,) = server.store.all("version")
        again = modelcar(server, "archive", "mistral", "1.0", "--json")
        with pytest.raises(ModelRegistryError, match="restore it with `modelcar restore mist"):
            registered(server)
        restored = modelcar(server, "restore", "mistral", "1.0")
        (after,) = server.store.all("version")
        writes = [line for line in server.writes if line.startswith("PATCH")]

    assert archived.stdout == "mistral 1.0 is ARCHIVED\n", archived.stderr
    assert json.loads(again.stdout) == {
        "model": "mistral",
        "version": "1.0",
        "state": "ARCHIVED",
        "changed": False,
    }
    assert restored.stdout == "mistral 1.0 is LIVE\n", restored.stderr
    assert len(writes) == 2
    changing = ("state", "lastUpdateTimeSinceEpoch")
    kept = [{k: v for k, v in x.items() if k not in changing} for x in (before, between, after)]
    assert kept[0] == kept[1] == kept[2]
    assert [x["state"] for x in (before, between, after)] == ["LIVE", "ARCHIVED", "LIVE"]


def test_a_model_is_archived_with_its_versions_out_of_reach() -> None:
    with ModelRegistryServer() as server:
        registered(server)
        archived = modelcar(server, "archive", "mistral")
        refused = modelcar(server, "restore", "mistral", "1.0")
        restored = modelcar(server, "restore", "mistral")
        (model,) = server.store.all("model")

    assert archived.stdout == "mistral is ARCHIVED\n", archived.stderr
    assert refused.returncode == 1
    assert "its model is archived; restore that first, with `modelcar restore mistral`" in (
        refused.stderr
    )
    assert restored.stdout == "mistral is LIVE\n"
    assert (model["state"], model["description"]) == ("LIVE", "A small model.")


@pytest.mark.parametrize("argv", [("archive", "mistral", "1.0"), ("archive", "mistral")])
def test_what_is_served_is_not_archived(argv: tuple[str, ...]) -> None:
    with ModelRegistryServer() as server:
        serve(server, registered(server))
        writes = len(server.writes)
        refused = modelcar(server, *argv)
        assert len(server.writes) == writes

    assert refused.returncode == 1
    assert "mistral/uid is deployed from it; delete that inference service" in refused.stderr


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (("archive", "none", "1.0"), "there is no such model; register it, or check its name"),
        (("restore", MODEL.name, "9"), "there is no such version; see `modelcar versions mistral`"),
    ],
)
def test_what_is_not_there_cannot_be_archived(argv: tuple[str, ...], why: str) -> None:
    with ModelRegistryServer() as server:
        registered(server)
        refused = modelcar(server, *argv)

    assert refused.returncode == 1
    assert why in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_empty_version_archives_nothing() -> None:
    with ModelRegistryServer() as server:
        registered(server)
        refused = modelcar(server, "archive", "mistral", "")
        (model,) = server.store.all("model")

    assert (refused.returncode, model["state"]) == (2, "LIVE")
    assert "mistral: its version: it is empty; name one, or leave it out" in refused.stderr


def test_the_artifact_that_is_registered_is_the_one_that_is_listed() -> None:
    with ModelRegistryServer() as server:
        made = registered(server)
        server.store.remove("artifact", made.artifact_id)
        other = {"name": "other", "uri": "oci://quay.example/other@sha256:" + "0" * 64}
        server.store.create("artifact", made.version_id, other)
        server.store.create("artifact", made.version_id, {"name": "mistral", "uri": made.uri})
        assert not registered(server).changed
        (found,) = versions(Connection(server.url), "mistral")
        named = digests(Connection(server.url), "mistral")

    assert found.uri == made.uri
    assert named == (IMAGE.digest,)


class Odd(ModelRegistryServer):
    """Gives some answers a form that no published one has."""

    def __init__(self, ending: str, answer: Any) -> None:
        super().__init__(newer=True)
        self._ending, self._odd = ending, answer

    def answer(self, request: Request) -> Response:
        if request.method == "GET" and request.path.endswith(self._ending):
            return Response.json(self._odd)
        return super().answer(request)


NULL = {"id": "1", "name": "mistral", "customProperties": {"a": None}}
LIST = {"items": [{"name": "1.0"}], "size": 1, "pageSize": 1, "nextPageToken": ""}
ODD = [
    ("/registered_model", {"name": "mistral"}),
    ("/registered_model", [1]),
    ("/registered_model", NULL),
    ("/registered_models", {"items": [None]}),
    ("/artifacts", {"items": "none"}),
    ("/versions", LIST),
]


@pytest.mark.parametrize(("ending", "answer"), ODD)
def test_an_answer_of_another_form_is_no_traceback(ending: str, answer: Any) -> None:
    with Odd(ending, answer) as server:
        server.store.create("model", "", {"name": "mistral"})
        server.store.create("version", "1", {"name": "1.0", "registeredModelId": "1"})
        connection, errors = Connection(server.url), []
        for call in (lambda: versions(connection, "mistral"), lambda: registered(server)):
            try:
                call()
            except ModelRegistryError as error:
                errors.append(str(error))
    assert errors
    assert any("its answer cannot be read: " in error for error in errors)


def test_times_that_no_clock_shows_and_properties_without_value_are_passed_over() -> None:
    with ModelRegistryServer(newer=True) as server:
        made = registered(server)
        version = server.store.get("version", made.version_id)
        assert version is not None
        version["createTimeSinceEpoch"] = "9" * 30
        version["customProperties"]["a"] = None
        (found,) = versions(Connection(server.url), "mistral")

    assert (found.name, found.created, found.verified) == ("1.0", "", "")
