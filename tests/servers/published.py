"""The published interface of the Model Registry, held against what is asked and answered."""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from ruamel.yaml import YAML

VARIABLE = "MODEL_REGISTRY_OPENAPI"
DELIBERATELY_WRONG = "X-Deliberately-Wrong"
"""The header of a request that breaks the interface on purpose."""
_VERSION = re.compile(r"^.*?/api/model_registry/\w+/")


class Published:
    """The document of v1alpha3, which holds for v1 too: its resources are the same there."""

    def __init__(self, path: Path) -> None:
        self._document: dict[str, Any] = YAML(typ="safe").load(path.read_text())
        self._components = self._document["components"]
        # JSON Schema knows no discriminator, without which one artifact matches all five kinds.
        self._components["schemas"]["Artifact"] = {"$ref": "#/components/schemas/ModelArtifact"}

    def faults_of_request(
        self, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> list[str]:
        """Return what the interface does not have: the path, a parameter, or a field."""
        operations = self._operations(path)
        operation = (operations or {}).get(method.lower())
        if operations is None or operation is None:
            return [f"{method} {path} is not published"]
        known = [*operations.get("parameters", ()), *operation.get("parameters", ())]
        faults = list(self._query_faults([self._resolved(x) for x in known], query))
        if "requestBody" in operation:
            content = self._resolved(operation["requestBody"])["content"]["application/json"]
            faults += self._body_faults(content["schema"], body)
        elif body:
            faults.append("a body is sent where none is taken")
        return [f"{method} {path}: {fault}" for fault in faults]

    def faults_of_response(self, method: str, path: str, status: int, body: bytes) -> list[str]:
        """Return what an answer has that is not published, its status or a field."""
        operation = (self._operations(path) or {}).get(method.lower())
        if operation is None:
            return []  # what a server says of a request that it does not know
        published = operation["responses"].get(str(status))
        if published is None:
            return [f"{method} {path}: the answer {status} is not published"]
        content = self._resolved(published)["content"]["application/json"]
        return [f"{method} {path}: {x}" for x in self._body_faults(content["schema"], body)]

    def _operations(self, path: str) -> dict[str, Any] | None:
        own = _VERSION.sub("/api/model_registry/v1alpha3/", path)
        for template, operations in self._document["paths"].items():
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[0-9]+", template), own):
                found: dict[str, Any] = operations
                return found
        return None

    def _resolved(self, value: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in value:
            _, kind, name = value["$ref"].rsplit("/", 2)
            value = self._components[kind][name]
        return value

    def _query_faults(self, known: list[dict[str, Any]], query: Mapping[str, str]) -> Iterator[str]:
        schemas = {item["name"]: item["schema"] for item in known if item["in"] == "query"}
        for name, value in query.items():
            if name not in schemas:
                yield f"there is no parameter {name}"
            else:
                yield from self._faults(schemas[name], value)

    def _body_faults(self, schema: dict[str, Any], body: bytes) -> Iterator[str]:
        closed = {**schema, "unevaluatedProperties": False}
        yield from self._faults(closed, json.loads(body))

    def _faults(self, schema: dict[str, Any], value: Any) -> Iterator[str]:
        validator = Draft202012Validator({**schema, "components": self._components})
        errors: Iterator[ValidationError] = validator.iter_errors(value)
        yield from (f"{error.json_path}: {error.message}" for error in errors)


@cache
def published() -> Published | None:
    """Return the document that the variable names, None without one."""
    path = os.environ.get(VARIABLE)
    return Published(Path(path)) if path else None
