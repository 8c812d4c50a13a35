"""Both versions of the API, and the real client library beside ours."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelcar.errors import ModelRegistryError
from modelcar.model_registry import Connection
from modelcar.model_registry.versions import versions
from tests.model_registry_runs import RUN, registered
from tests.servers.loopback import Request, Response
from tests.servers.model_registry import ModelRegistryServer

PATHS = [(("v1alpha3",), "v1alpha3"), (("v1alpha3", "v1"), "v1"), (("v1",), "v1")]


@pytest.mark.parametrize(("paths", "expected"), PATHS)
def test_the_newest_version_that_is_there_is_spoken(paths: tuple[str, ...], expected: str) -> None:
    with ModelRegistryServer(paths) as server:
        assert registered(server, run=RUN).changed
        assert not registered(server, run=RUN).changed
        (found,) = versions(Connection(server.url), "mistral")
        asked = [seen for seen in server.requests if seen.status != 404 or "name=" in seen.target]

    assert (found.name, found.run) == ("1.0", "nightly")
    spoken = {re.search(r"/model_registry/(\w+)/", seen.target) for seen in asked}
    assert {match and match[1] for match in spoken} == {expected}


def test_the_real_client_reads_what_is_registered(tmp_path: Path) -> None:
    script = """
import sys
from model_registry import ModelRegistry

client = ModelRegistry(sys.argv[1], author="ann", user_token="C4" + "naryBird")
model = client.get_registered_model("mistral")
version = client.get_model_version("mistral", "1.0")
artifact = client.get_model_artifact("mistral", "1.0")
print(model.description, version.custom_properties["commit"], artifact.uri)
print(artifact.model_source_kind, artifact.model_source_class, artifact.model_source_group)
print(artifact.model_source_id, artifact.model_source_name, artifact.model_format_name)
"""
    with ModelRegistryServer(("v1alpha3", "v1")) as server:
        found = registered(server, run=RUN)
        argv = [sys.executable, "-c", script, server.url]
        done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    assert done.stdout.splitlines() == [
        f"A small model. {'c' * 40} {found.uri}",
        "kfp pipelinerun team",
        "run-1 nightly vLLM",
    ]


def test_what_the_real_client_registered_is_found_and_kept(tmp_path: Path) -> None:
    script = """
import sys
from model_registry import ModelRegistry

client = ModelRegistry(sys.argv[1], author="ann", user_token="C4" + "naryBird")
client.register_model(
    "mistral", sys.argv[2], version="1.0", model_format_name="vLLM", model_format_version="1",
    metadata={"size": 7, "ratio": 0.5, "ok": True, "reviewed": "yes"},
)
"""
    with ModelRegistryServer() as server:
        uri = f"oci://quay.example/models/mistral@sha256:{'a' * 64}"
        argv = [sys.executable, "-c", script, server.url, uri]
        subprocess.run(argv, check=True, cwd=tmp_path, capture_output=True)
        (before,) = server.store.all("version")
        assert registered(server).changed
        (version,), (artifact,) = server.store.all("version"), server.store.all("artifact")

    assert before["customProperties"].items() <= version["customProperties"].items()
    assert (version["author"], artifact["name"], artifact["uri"]) == ("ann", "mistral", uri)


class Page(ModelRegistryServer):
    """Answers everything with a page, as a dashboard does at any path."""

    def answer(self, request: Request) -> Response:
        page = Response.json("<!doctype html>")
        return Response(200, {"Content-Type": "text/html"}, page.content)


def test_a_web_page_is_no_model_registry() -> None:
    with Page() as server, pytest.raises(ModelRegistryError, match=r"cannot be read.*its Route"):
        registered(server)
