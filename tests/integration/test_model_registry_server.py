"""The Model Registry that tests talk to, held against the real client and the published API."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests import canary
from tests.servers.asking import answered
from tests.servers.model_registry import ModelRegistryServer
from tests.servers.published import DELIBERATELY_WRONG, published

TOKEN = canary.secret("model-registry")


def test_the_python_client_registers_and_finds(tmp_path: Path) -> None:
    """In a process of its own: the client patches asyncio and sets up logging."""
    script = """
import sys
from model_registry import ModelRegistry

client = ModelRegistry(sys.argv[1], author="ann", user_token=sys.stdin.read())
client.register_model(
    "m", "oci://r.example/m@sha256:0", version="1", model_format_name="vLLM",
    model_format_version="1", metadata={"size": 7, "ratio": 0.5, "ok": True, "license": "mit"},
)
version = client.get_model_version("m", "1")
assert version.custom_properties == {"size": 7, "ratio": 0.5, "ok": True, "license": "mit"}
assert client.get_model_artifact("m", "1").uri == "oci://r.example/m@sha256:0"
assert client.get_registered_model("none") is None
version.description = "new"
assert client.update(version).description == "new"
for number in range(2, 5):
    client.register_model(
        "m", "oci://x", version=str(number), model_format_name="", model_format_version=""
    )
pager = client.get_model_versions("m").page_size(2)
assert [version.name for version in pager] == ["1", "2", "3", "4"]
"""
    with ModelRegistryServer(token=TOKEN) as server:
        argv = [sys.executable, "-c", script, server.url]
        subprocess.run(argv, check=True, cwd=tmp_path, timeout=60, input=TOKEN, text=True)


PROPERTIES = {
    "text": {"metadataType": "MetadataStringValue", "string_value": "x"},
    "count": {"metadataType": "MetadataIntValue", "int_value": "3"},
}
ARTIFACT = {"artifactType": "model-artifact", "name": "a", "uri": "oci://r.example/m"}
CALLS: tuple[tuple[str, str, Any, int], ...] = (
    ("POST", "registered_models", {"name": "m", "customProperties": PROPERTIES}, 201),
    ("POST", "registered_models", {"name": "m"}, 409),
    ("GET", "registered_models?pageSize=1", None, 200),
    ("GET", "registered_models/1", None, 200),
    ("GET", "registered_models/99", None, 404),
    ("PATCH", "registered_models/1", {"owner": "ann"}, 200),
    ("PATCH", "registered_models/99", {"owner": "ann"}, 404),
    ("GET", "registered_model?name=m", None, 200),
    ("GET", "registered_model?name=none", None, 404),
    ("POST", "model_versions", {"name": "1", "registeredModelId": "1"}, 201),
    ("POST", "model_versions", {"name": "1", "registeredModelId": "1"}, 409),
    ("POST", "model_versions", {"name": "", "registeredModelId": "1"}, 422),
    ("POST", "registered_models/1/versions", {"name": "2", "registeredModelId": "1"}, 201),
    ("GET", "registered_models/1/versions?orderBy=ID&sortOrder=DESC", None, 200),
    ("GET", "model_versions", None, 200),
    ("GET", "model_versions/2", None, 200),
    ("PATCH", "model_versions/2", {"state": "ARCHIVED"}, 200),
    ("GET", "model_version?name=1&parentResourceId=1", None, 200),
    ("GET", "model_version?name=1", None, 400),
    ("POST", "model_versions/2/artifacts", ARTIFACT, 201),
    ("POST", "model_versions/2/artifacts", ARTIFACT, 409),
    ("POST", "model_versions/2/artifacts", {**ARTIFACT, "id": "4", "uri": "oci://new"}, 200),
    ("GET", "model_versions/2/artifacts?artifactType=model-artifact", None, 200),
    ("GET", "model_versions/99/artifacts", None, 404),
    ("GET", "model_artifact?name=a&parentResourceId=2", None, 200),
    ("GET", "model_artifacts", None, 200),
    ("GET", "inference_services", None, 200),
    ("GET", "model_artifacts/4", None, 200),
    ("PATCH", "model_artifacts/4", {"uri": "oci://newer"}, 200),
    ("PATCH", "model_artifacts/4", {"customProperties": {"x": 1}}, 400),
)


@pytest.mark.parametrize("version", ["v1alpha3", "v1"])
def test_every_answer_is_one_that_the_interface_publishes(version: str) -> None:
    if published() is None:
        pytest.skip("MODEL_REGISTRY_OPENAPI names no OpenAPI document")
    with ModelRegistryServer(("v1alpha3", "v1")) as server:
        for method, path, body, status in CALLS:
            full = f"{server.url}/api/model_registry/{version}/{path}"
            data = None if body is None else json.dumps(body).encode()
            wrong = {DELIBERATELY_WRONG: "yes"} if status in (400, 422) else {}
            answer = answered(urllib.request.Request(full, data, wrong, method=method))
            assert answer.status == status, f"{method} {path}: {answer.body!r}"


@pytest.mark.parametrize(
    ("method", "path", "body", "fault"),
    [
        ("GET", "registered_models?pagesize=1", None, "no parameter pagesize"),
        ("GET", "registered_models?orderBy=SIZE", None, "'SIZE' is not one of"),
        ("POST", "registered_models", {"name": "m", "colour": "red"}, "'colour' was unexpected"),
        ("PATCH", "registered_models/1", {"state": "GONE"}, "'GONE' is not one of"),
        ("DELETE", "registered_models/1", None, "DELETE .* is not published"),
        ("GET", "models", None, "GET .* is not published"),
    ],
)
def test_a_request_that_is_not_published_fails_the_test(
    method: str, path: str, body: Any, fault: str
) -> None:
    if published() is None:
        pytest.skip("MODEL_REGISTRY_OPENAPI names no OpenAPI document")
    with pytest.raises(AssertionError, match=fault), ModelRegistryServer() as server:
        server.store.create("model", "", {"name": "m0"})
        data = None if body is None else json.dumps(body).encode()
        full = f"{server.url}/api/model_registry/v1alpha3/{path}"
        answered(urllib.request.Request(full, data, method=method))


def test_custom_properties_are_replaced_as_a_whole_or_kept() -> None:
    with ModelRegistryServer() as server:
        made = server.store.create("model", "", {"name": "m", "customProperties": PROPERTIES})
        url = f"{server.url}/api/model_registry/v1alpha3/registered_models/{made['id']}"
        kept = answered(urllib.request.Request(url, b'{"owner": "ann"}', method="PATCH"))
        gone = answered(urllib.request.Request(url, b'{"customProperties": {}}', method="PATCH"))

    before, after = json.loads(kept.body), json.loads(gone.body)
    assert before["customProperties"] == PROPERTIES
    assert (after["customProperties"], after["owner"]) == ({}, "ann")
    assert int(after["lastUpdateTimeSinceEpoch"]) > int(before["lastUpdateTimeSinceEpoch"])
