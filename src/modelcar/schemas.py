"""The JSON Schemas of catalog and site files, by which editors complete and check them.

They hold to what JSON Schema's drafts since 7 have in common: editors know different ones.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema

from modelcar.entry import Entry
from modelcar.faults import Strict
from modelcar.site import SiteFile

KINDS: Final[Mapping[str, type[Strict]]] = {"catalog": Entry, "site": SiteFile}
FILES: Final = {"catalog": "schema.json", "site": "site.schema.json"}
"""How the file of each is called; it lies beside the YAML files whose first line names it."""


def text(kind: str) -> str:
    """Return the schema of `catalog` or `site` files as JSON."""
    schema = KINDS[kind].model_json_schema(schema_generator=_Untitled)
    for one in (schema, *schema["$defs"].values()):
        _let_be_empty(one)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles, which say a field's name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def _let_be_empty(schema: dict[str, Any]) -> None:
    """Let fields be empty (null) that need not be there: they take their default, as if absent."""
    for name, field in schema["properties"].items():
        if name not in schema.get("required", ()):
            schema["properties"][name] = _or_null(field)
        if isinstance(values := field.get("additionalProperties"), dict):
            field["additionalProperties"] = _or_null(values)


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in field:
        either = [{"$ref": field["$ref"]}, {"type": "null"}]
        return {"description": field["description"], "anyOf": either}
    kinds = field["type"]
    field["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
    return field
