"""A strict JSON schema from a CustomResourceDefinition.

The API server drops what a definition does not know, without a word. Here it is refused.
"""

from pathlib import Path
from typing import Any

import jsonschema
import yaml

Schema = dict[str, Any]
_OPEN = "x-kubernetes-preserve-unknown-fields"


def validator(crd: Path, kind: str) -> jsonschema.Draft202012Validator:
    """Return the validator of `kind` in the version that is stored, from the file `crd`."""
    definition = next(
        document
        for document in yaml.load_all(crd.read_bytes(), Loader=yaml.CSafeLoader)
        if document["spec"]["names"]["kind"] == kind
    )
    stored = next(version for version in definition["spec"]["versions"] if version["storage"])
    return jsonschema.Draft202012Validator(strict(stored["schema"]["openAPIV3Schema"]))


def strict(schema: Schema, name: str = "") -> Schema:
    """Return an OpenAPI v3 schema as a JSON schema that refuses unknown fields.

    Metadata without a schema of its own (the object's, a template's) stays open, and so does what
    the definition says may hold anything.
    """
    result = {k: v for k, v in schema.items() if not k.startswith("x-") and k != "nullable"}
    if "properties" in schema:
        result["properties"] = {k: strict(v, k) for k, v in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            result[key] = strict(schema[key])
    if schema.get("type") == "object" and not _is_open(schema, name):
        result.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        result["type"] = ["integer", "string"]
    if schema.get("nullable") and "type" in result:
        result["type"] = [result["type"], "null"]
    return result


def _is_open(schema: Schema, name: str) -> bool:
    return bool(schema.get(_OPEN)) or (name == "metadata" and "properties" not in schema)
