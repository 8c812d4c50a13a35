"""The pages on the fields of catalog and site files, from their schemas."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelcar.entry import Entry
from modelcar.site import SiteFile
from scripts.docs_text import code, fence, head, prose, short, table

ROOT = Path(__file__).resolve().parents[1]
_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "null": "nothing",
}
_CATALOG = """A catalog entry is one YAML file a model, `models/NAME.yaml`. `modelcar init` writes
one, `modelcar check` says all that is wrong with it, `modelcar plan NAME` what it would bring. What
differs from one cluster to the next stands in a [site file](site.md). The pipeline has the same
settings as [parameters](pipeline-parameters.md). Editors complete and check it by
`models/schema.json`, which `modelcar schema` prints.

"""
_SITE = """A site file says what differs from one cluster to the next: `site.yaml` in the folder
where `modelcar` runs, or another with `--site`. Every field may be left out. Credentials never
stand in it. What a model is stands in its [catalog entry](catalog.md). Editors complete and check
it by `site.schema.json`, which `modelcar schema site` prints.

"""
Schema = Mapping[str, Any]


def files() -> Iterator[tuple[str, str]]:
    """Yield the path below the repository and the text of each page."""
    catalog = _page("The catalog entry", "src/modelcar/entry.py", _CATALOG, Entry)
    yield "docs/reference/catalog.md", catalog + _example("models/mistral-24b-quantized.yaml")
    site = _page("The site file", "src/modelcar/site.py", _SITE, SiteFile)
    yield "docs/reference/site.md", site + _example("site.example.yaml")


def _page(title: str, source: str, opening: str, model: type[Entry] | type[SiteFile]) -> str:
    return (
        head(title, source)
        + opening
        + "## Fields\n\n"
        + "\n".join(sections(model.model_json_schema()))
    )


def _example(path: str) -> str:
    text = (ROOT / path).read_text(encoding="utf-8")
    return f"\n## An example\n\n`{path}`:\n\n{fence(text, 'yaml')}"


def sections(schema: Schema) -> Iterator[str]:
    """Yield a table of the fields, then a section for each field that has fields itself.

    Raises ValueError for a field without a description.
    """
    required = schema.get("required", ())
    fields = schema["properties"].items()
    rows = [_row(name, field, _resolved(field, schema), name in required) for name, field in fields]
    yield table(("field", "type", "default", "what it says"), rows)
    for name, field in fields:
        inner = _resolved(field, schema)
        if "properties" in inner:
            yield f"## `{name}`\n"
            yield prose(_told(name, field, inner)) + "\n"
            yield from sections({**inner, "$defs": schema["$defs"]})


def _told(name: str, field: Schema, inner: Schema) -> str:
    told = field.get("description") or inner.get("description")
    if not told:
        raise ValueError(f"field {name} has no description: write one where it is defined")
    return str(told)


def _row(name: str, field: Schema, inner: Schema, required: bool) -> tuple[str, str, str, str]:
    told = prose(_told(name, field, inner))
    if "properties" in inner:
        return f"[`{name}`](#{name})", "fields", "", told
    return code(name), _type(inner), "required" if required else _default(field), told


def _resolved(field: Schema, schema: Schema) -> Schema:
    reference = field.get("$ref") or (field.get("allOf") or [{}])[0].get("$ref")
    if not reference:
        return field
    found: Schema = schema["$defs"][reference.rpartition("/")[2]]
    return found


def _type(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(code(str(one)) for one in field["enum"])
    kind = field.get("type")
    if kind == "array":
        return f"list of {_type(field['items'])}s"
    if kind == "object":
        return "names with values"
    if isinstance(kind, list):
        return " or ".join(_TYPES[one] for one in kind)
    if "anyOf" in field:
        return " or ".join(_type(one) for one in field["anyOf"])
    return _TYPES[str(kind)]


def _default(field: Schema) -> str:
    value = field.get("default")
    if value in (None, "", [], {}):
        return "empty"
    return code(short(value if isinstance(value, str) else json.dumps(value)))
