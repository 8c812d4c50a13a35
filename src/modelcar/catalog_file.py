"""The text of a new catalog file: every field, set or left out with its default. Pure."""

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from io import StringIO
from typing import Any, Final

from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from modelcar.entry import Entry
from modelcar.faults import Strict
from modelcar.schemas import FILES
from modelcar.wording import line

_WIDTH: Final = 98
_LONGEST: Final = 1000
"""Characters of what is said of a field."""


@dataclass(frozen=True, slots=True)
class Line:
    """One field as the file shows it: comments, and `name: value`, commented out or not."""

    comments: tuple[str, ...]
    yaml: str
    given: bool
    indent: str = ""
    first: bool = False
    """Whether it is the first of its section."""


def text(given: Mapping[str, Any], why: Mapping[str, str]) -> str:
    """Return a catalog file with the values `given`, by the names of fields and within sections.

    `why` has more to say of a field, by its name or `section.name`.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # noqa: S701  YAML, of values that are written as such
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    source = resources.files("modelcar").joinpath("catalog_file.yaml.j2").read_text("utf-8")
    lines = tuple(_lines(Entry, given, why))
    return environment.from_string(source).render(schema=FILES["catalog"], lines=lines)


def _lines(
    schema: type[Strict], given: Mapping[str, Any], why: Mapping[str, str], section: str = ""
) -> Iterator[Line]:
    indent = "  " if section else ""
    for name, info in schema.model_fields.items():
        inner = info.annotation
        reason = why.get(section + name)
        said = (info.description or "", f"Here: {reason}." if reason else "")
        comments = tuple(line for text in said for line in _wrapped(text, indent))
        if isinstance(inner, type) and issubclass(inner, Strict):
            values = given.get(name, {})
            yield Line(comments, f"{name}:", given=True)
            yield from _lines(inner, values, why, f"{name}.")
        else:
            value = given.get(name, _default(info))
            first = bool(section) and name == next(iter(schema.model_fields))
            yield Line(comments, _yaml(name, value), name in given, indent, first)


def _wrapped(text: str, indent: str) -> list[str]:
    width = _WIDTH - len(indent)
    return textwrap.wrap(
        line(text, _LONGEST), width, break_long_words=False, break_on_hyphens=False
    )


def _default(info: FieldInfo) -> Any:
    value = info.get_default(call_default_factory=True)
    return list(value) if isinstance(value, tuple) else value


def _yaml(name: str, value: Any) -> str:
    quoted = f"{name}: '"
    plain = _dumped({name: list(value) if isinstance(value, tuple) else value})
    return _dumped({name: DoubleQuotedScalarString(value)}) if plain.startswith(quoted) else plain


def _dumped(value: Mapping[str, Any]) -> str:
    yaml, stream = YAML(), StringIO()
    yaml.width = 4096
    yaml.default_flow_style = False
    yaml.indent(sequence=4, offset=2)
    yaml.dump(value, stream)
    return stream.getvalue().rstrip("\n")
