"""Registering against a server that speaks the published API, with the real client."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelcar.errors import DriftError, ModelRegistryError, UsageError
from modelcar.model_registry import Connection, Lineage, register
from modelcar.values import ImageDigest, ModelVersion
from tests.model_registry_runs import (
    COMMIT,
    IMAGE,
    MODEL,
    OTHER,
    RECORD,
    RUN,
    properties,
    registered,
)
from tests.servers.model_registry import ModelRegistryServer


@pytest.fixture
def server() -> Iterator[ModelRegistryServer]:
    with ModelRegistryServer() as running:
        yield running


def test_a_first_registration_makes_model_version_and_artifact(server: ModelRegistryServer) -> None:
    made = registered(server, properties={"license": "apache-2.0", "empty": ""}, run=RUN)

    [model], [version] = server.store.all("model"), server.store.all("version")
    [artifact] = server.store.all("artifact", version["id"])
    uri = f"oci://quay.example/models/mistral@sha256:{'a' * 64}"
    ids = (model["id"], version["id"], artifact["id"])
    assert made == ModelVersion("mistral", "1.0", uri, *ids, changed=True)
    assert (model["name"], model["description"]) == ("mistral", "A small model.")
    assert (version["name"], version["registeredModelId"]) == ("1.0", model["id"])
    assert properties(version) == {
        "source": "hf://mistralai/Mistral",
        "commit": COMMIT,
        "license": "apache-2.0",
    }
    assert artifact["uri"] == uri
    assert (artifact["name"], artifact["state"]) == ("mistral", "LIVE")
    assert artifact["modelFormatName"] == "vLLM"
    lineage = {name: text for name, text in artifact.items() if name.startswith("modelSource")}
    assert lineage == {
        "modelSourceKind": "kfp",
        "modelSourceClass": "pipelinerun",
        "modelSourceGroup": "team",
        "modelSourceId": "run-1",
        "modelSourceName": "nightly",
    }


def test_a_second_registration_only_reads(server: ModelRegistryServer) -> None:
    first = registered(server, run=RUN)
    server.requests.clear()

    second = registered(server, run=Lineage("team", "run-2", "nightly"))

    assert not second.changed
    assert (second.version_id, second.artifact_id) == (first.version_id, first.artifact_id)
    assert {seen.method for seen in server.requests} == {"GET"}


@pytest.mark.parametrize("missing", ["artifact", "version and artifact"])
def test_a_half_made_version_is_completed(server: ModelRegistryServer, missing: str) -> None:
    first = registered(server)
    server.store.remove("artifact", first.artifact_id)
    if missing != "artifact":
        server.store.remove("version", first.version_id)

    again = registered(server)

    assert again.changed
    assert again.registered_model_id == first.registered_model_id
    [artifact] = server.store.all("artifact", again.version_id)
    assert artifact["uri"] == again.uri


def test_another_digest_is_drift_and_changes_nothing(server: ModelRegistryServer) -> None:
    registered(server)
    server.requests.clear()

    with pytest.raises(DriftError) as caught:
        registered(server, OTHER, properties={"new": "property"})

    assert "a" * 64 in str(caught.value)
    assert "b" * 64 in str(caught.value)
    assert "--move-version" in caught.value.remedy
    assert server.writes == []


def test_a_version_moves_when_told_to_and_keeps_the_old_uri(server: ModelRegistryServer) -> None:
    first = registered(server, run=RUN)

    moved = registered(server, OTHER, move_version=True)

    [version], [artifact] = server.store.all("version"), server.store.all("artifact")
    assert moved.changed
    assert moved.artifact_id == first.artifact_id
    assert artifact["uri"] == moved.uri
    assert artifact["modelSourceId"] == ""  # run-1 did not make this image
    assert properties(version)["previous_uri"] == first.uri
    assert not registered(server, OTHER).changed


def test_a_moved_version_says_nothing_of_its_former_image(server: ModelRegistryServer) -> None:
    facts = {"license": "mit", "mirror": f"quay.io/m@{IMAGE.digest}", "quantization": "awq"}
    first = registered(server, properties=facts)
    version = server.store.get("version", first.version_id)
    assert version is not None
    theirs = {"team": {"metadataType": "MetadataStringValue", "string_value": "blue"}}
    fields = {"customProperties": {**version["customProperties"], **theirs}, "description": "Ours."}
    server.store.patch("version", first.version_id, fields)

    moved = registered(server, OTHER, replace(RECORD, card="# New card"), move_version=True)

    [version] = server.store.all("version")
    expected = {"source": MODEL.source.uri, "commit": COMMIT, "previous_uri": first.uri}
    assert moved.changed
    assert properties(version) == {**expected, "team": "blue"}
    assert version["description"] == "Ours."


def test_the_same_digest_at_another_mirror_is_no_drift(server: ModelRegistryServer) -> None:
    registered(server, run=RUN)

    moved = registered(server, ImageDigest("mirror.example/m/mistral", IMAGE.digest))

    [artifact] = server.store.all("artifact")
    assert moved.changed
    assert artifact["uri"] == f"oci://mirror.example/m/mistral@{IMAGE.digest}"
    assert artifact["modelSourceId"] == "run-1"


def test_what_others_wrote_survives_an_update(server: ModelRegistryServer) -> None:
    first = registered(server)
    theirs = {
        "reviewed-by": {"metadataType": "MetadataStringValue", "string_value": "ann"},
        "score": {"metadataType": "MetadataIntValue", "int_value": "7"},
        "table": {"metadataType": "MetadataStructValue", "struct_value": "e30="},
    }
    server.store.patch("version", first.version_id, {"customProperties": theirs, "author": "ann"})

    assert registered(server, properties={"license": "mit"}).changed

    [version] = server.store.all("version")
    assert {name: version["customProperties"][name] for name in theirs} == theirs
    assert version["customProperties"]["license"]["string_value"] == "mit"
    assert version["author"] == "ann"


def test_an_artifact_with_another_name_is_taken_as_the_versions(
    server: ModelRegistryServer,
) -> None:
    first = registered(server)
    server.store.remove("artifact", first.artifact_id)
    named = {"name": "mistral-1.0-artifact", "uri": first.uri}
    theirs = server.store.create("artifact", first.version_id, named)

    again = registered(server)

    assert again.artifact_id == theirs["id"]
    assert not again.changed


def test_an_archived_version_is_not_brought_back(server: ModelRegistryServer) -> None:
    first = registered(server)
    server.store.patch("version", first.version_id, {"state": "ARCHIVED"})
    server.requests.clear()

    with pytest.raises(ModelRegistryError, match="the version is archived; restore it"):
        registered(server)

    assert server.writes == []


def test_an_update_of_the_description_leaves_the_state_alone(server: ModelRegistryServer) -> None:
    first = registered(server)
    server.store.patch("model", first.registered_model_id, {"description": "old", "owner": "ann"})

    assert registered(server).changed

    [model] = server.store.all("model")
    assert (model["description"], model["owner"]) == ("A small model.", "ann")
    assert (model["state"], len(server.writes)) == ("LIVE", 4)


def test_a_server_that_stumbles_is_asked_again(server: ModelRegistryServer) -> None:
    server.fail("/artifacts", 503)

    made = registered(server)

    assert made.changed
    assert [path.rpartition("/")[2] for path in server.writes] == [
        "registered_models",
        "model_versions",
        "artifacts",
        "artifacts",
    ]


@pytest.mark.parametrize(
    ("token", "status", "remedy"),
    [
        ("", 401, "oc whoami -t"),
        ("C4naryBird-stale", 401, "oc whoami -t"),
        ("C4naryBird", 403, "Role"),
    ],
)
def test_a_refused_token_is_explained_and_never_shown(token: str, status: int, remedy: str) -> None:
    with ModelRegistryServer(token="C4naryBird-right", forbidden={"C4naryBird"}) as server:
        connection = Connection(server.url, token)
        with pytest.raises(ModelRegistryError) as caught:
            register(connection, MODEL, IMAGE, RECORD)

    assert f"the server answered {status}" in caught.value.why
    assert remedy in caught.value.remedy
    assert "C4naryBird" not in f"{caught.value} {connection!r}"


def test_a_long_token_that_the_server_repeats_is_hidden_whole(server: ModelRegistryServer) -> None:
    token = "eyJh" + "C4naryBird" * 150
    server.fail("/registered_model", 401, body=f"bad token {token} of ann".encode())

    with pytest.raises(ModelRegistryError) as caught:
        register(Connection(server.url, token), MODEL, IMAGE, RECORD)

    assert "answered 401 (bad token *** of ann)" in str(caught.value)


def test_a_token_that_the_server_repeats_is_hidden(server: ModelRegistryServer) -> None:
    server.fail("/registered_model", 400, body=b'{"message": "bad token C4naryBird"}')

    with pytest.raises(ModelRegistryError) as caught:
        register(Connection(server.url, "C4naryBird"), MODEL, IMAGE, RECORD)

    assert "answered 400 (bad token ***)" in str(caught.value)


def test_a_server_of_another_api_version_is_named_as_such() -> None:
    with (
        ModelRegistryServer(paths=("v2",)) as server,
        pytest.raises(ModelRegistryError, match=r"answered 404 .*with API v1 or v1alpha3"),
    ):
        registered(server)


def test_a_server_that_is_not_there_is_explained() -> None:
    with ModelRegistryServer() as server:
        gone = server.url

    with pytest.raises(ModelRegistryError, match=r"cannot be reached.*check the address"):
        register(Connection(gone), MODEL, IMAGE, RECORD)


def test_tls_is_verified_against_the_named_ca(tmp_path: Path) -> None:
    certificate, key = certificate_for_loopback(tmp_path)
    with ModelRegistryServer(tls=(certificate, key)) as server:
        with pytest.raises(ModelRegistryError, match=r"TLS failed.*MODELCAR_CA_BUNDLE"):
            register(Connection(server.url), MODEL, IMAGE, RECORD)

        trusting = Connection(server.url, ca_file=str(certificate))
        assert register(trusting, MODEL, IMAGE, RECORD).changed


def certificate_for_loopback(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=loopback", "-addext", "subjectAltName=IP:127.0.0.1"]
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    argv = ["openssl", "req", "-x509", *kind, *files, *subject]
    subprocess.run(argv, check=True, capture_output=True)
    return certificate, key


def test_a_ca_file_that_is_none_is_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    connection = Connection("https://127.0.0.1:1", ca_file=str(tmp_path / "ca.pem"))

    with pytest.raises(UsageError, match=r"CA file .*ca\.pem"):
        register(connection, MODEL, IMAGE, RECORD)


def test_a_model_registry_behind_a_path_is_found() -> None:
    with ModelRegistryServer() as server:
        connection = Connection(f"{server.url}/model-registry/team")
        assert register(connection, MODEL, IMAGE, RECORD).changed


def test_a_state_file_outlives_the_server(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    with ModelRegistryServer(state=state) as server:
        first = registered(server)
    with ModelRegistryServer(state=state) as server:
        second = registered(server)

    assert (second.artifact_id, second.changed) == (first.artifact_id, False)


def test_importing_and_registering_leave_the_logging_alone(server: ModelRegistryServer) -> None:
    script = f"""
import logging, sys
import modelcar.model_registry as it
assert "mr_openapi" not in sys.modules and "pydantic" not in sys.modules
from modelcar.values import Digest, ImageDigest, Model, ModelSource
model = Model("m", "1", ModelSource("hf", "o/m", "main"))
image = ImageDigest("r.example/m", Digest("a" * 64))
it.register(it.Connection("{server.url}"), model, image, it.Record())
assert logging.getLogger().handlers == []
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    [artifact] = server.store.all("artifact")
    assert artifact["uri"] == f"oci://r.example/m@sha256:{'a' * 64}"
