"""One model, registered by this process or by another, and what the server then holds."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from modelcar.model_registry import Connection, Lineage, Record, register
from modelcar.values import Digest, ImageDigest, Model, ModelSource, ModelVersion
from tests.servers.model_registry import ModelRegistryServer

COMMIT = "c" * 40
MODEL = Model("mistral", "1.0", ModelSource("hf", "mistralai/Mistral", "main"))
IMAGE = ImageDigest("quay.example/models/mistral", Digest("a" * 64))
OTHER = ImageDigest("quay.example/models/mistral", Digest("b" * 64))
RUN = Lineage("team", "run-1", "nightly")
RECORD = Record(
    {"source": MODEL.source.uri, "commit": COMMIT, "empty": ""}, description="A small model."
)
ELSEWHERE = """
import sys
from modelcar.model_registry import Connection, Record, register
from modelcar.values import Digest, ImageDigest, Model, ModelSource

model = Model("mistral", "1.0", ModelSource("hf", "mistralai/Mistral", "main"))
image = ImageDigest("quay.example/models/mistral", Digest(sys.argv[2] * 64))
record = Record({"commit": sys.argv[2] * 40}, labels=("chat",), description="A small model.")
register(Connection(sys.argv[1]), model, image, record, move_version=sys.argv[3] == "move")
"""


def registered(
    server: ModelRegistryServer,
    image: ImageDigest = IMAGE,
    record: Record = RECORD,
    properties: Mapping[str, str] | None = None,
    **more: Any,
) -> ModelVersion:
    told = replace(record, properties={**record.properties, **(properties or {})})
    return register(Connection(server.url), MODEL, image, told, **more)


def elsewhere(
    server: ModelRegistryServer, digit: str = "a", move: bool = False
) -> subprocess.Popen[bytes]:
    """Begin to register the image of that digest in a process of its own."""
    argv = [sys.executable, "-c", ELSEWHERE, server.url, digit, "move" if move else "stay"]
    return subprocess.Popen(argv, stderr=subprocess.PIPE)


def properties(entity: Mapping[str, Any]) -> dict[str, str]:
    return {name: item["string_value"] for name, item in entity["customProperties"].items()}


def one_of_each(server: ModelRegistryServer) -> tuple[dict[str, Any], ...]:
    """Return the only model, version and artifact that the server holds."""
    [model], [version] = server.store.all("model"), server.store.all("version")
    [artifact] = server.store.all("artifact")
    assert version["registeredModelId"] == model["id"]
    assert server.store.all("artifact", version["id"]) == [artifact]
    return model, version, artifact
