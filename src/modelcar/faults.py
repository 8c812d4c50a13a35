"""Catalog and site files: read YAML, hold it against a schema, word every fault in one line.

A fault reads `models/x.yaml: serving.memory: '48GB' is not a quantity; try 48Gi`.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, Event, NodeEvent

from modelcar.errors import CatalogError
from modelcar.wording import line

MAX_BYTES = 64 * 1024
MAX_DEPTH = 20


class Strict(BaseModel):
    """The base of every schema: no unknown field, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Schema = TypeVar("Schema", bound=Strict)


@dataclass(frozen=True)
class Document:
    """One YAML file whose root is a mapping; `tree` keeps where each value stands."""

    path: Path
    text: str = field(repr=False)  # it may hold credentials, which are refused
    tree: CommentedMap = field(repr=False)

    def validate(self, schema: type[Schema]) -> Schema:
        """Return the document as `schema`; raise CatalogError with every fault."""
        try:
            return schema.model_validate(_plain(self.tree, schema))
        except ValidationError as error:
            faults = (_fault(detail, self, schema) for detail in error.errors(include_url=False))
            raise CatalogError(tuple(f"{self.path}: {fault}" for fault in faults)) from None

    def written(self, location: tuple[int | str, ...]) -> str:
        """Return the plain scalar at `location` as the file writes it: `1.10`, not 1.1."""
        node, line, column = self.tree, 0, 0
        for part in location:
            find = node.lc.item if isinstance(node, CommentedSeq) else node.lc.value
            if not isinstance(node, CommentedSeq) and part not in node:
                return ""  # a key that is no text, which pydantic words in its own way
            line, column = find(part)
            node = node[part]
        match = re.match(r"[^\s,\]}]*", self.text.splitlines()[line][column:])
        return match[0] if match else ""


def read(path: Path) -> Document:
    """Read a YAML file; raise CatalogError, with the line where it is known."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise CatalogError((f"{path}: no such file; check the path",)) from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise CatalogError((f"{path}: it cannot be read: {reason}; check its rights",)) from error
    if len(content) > MAX_BYTES:
        limit = f"it is larger than {MAX_BYTES // 1024} KiB; name the right file"
        raise CatalogError((f"{path}: {limit}",))
    try:
        return parse(path, content.decode("utf-8"))
    except UnicodeDecodeError:
        raise CatalogError((f"{path}: it is not UTF-8 text; save it as UTF-8",)) from None


def parse(path: Path, text: str) -> Document:
    """Parse the text of `path`; raise CatalogError."""
    try:
        refused = next(_refused(text), None)
        tree = None if refused else YAML().load(text)
    except YAMLError as error:
        raise CatalogError((f"{path}: {_syntax(error)}",)) from None
    except ValueError as error:  # a scalar that looks like a date or a number and is none
        raise CatalogError((f"{path}: a value cannot be read: {error}; quote it",)) from None
    except TypeError:  # what the parser makes of it cannot be looked up
        raise CatalogError(
            (f"{path}: a key is a list or a mapping; write a field's name",)
        ) from None
    if tree is None:
        refused = refused or "it is empty; write at least its required fields"
        raise CatalogError((f"{path}: {refused}",))
    if not isinstance(tree, CommentedMap):
        raise CatalogError((f"{path}: it is not a mapping; write `field: value` lines",))
    return Document(path, text, tree)


def _refused(text: str) -> Iterator[str]:
    """Yield what plain data never holds, before anything is built from it.

    Aliases can make a small file expand without end, tags name types, depth exhausts the stack.
    """
    depth = 0
    for event in YAML().parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        line = f"line {event.start_mark.line + 1}"
        if isinstance(event, NodeEvent) and event.anchor:
            yield f"{line}: anchors and aliases are not read; write the value out"
        if _tagged(event):
            yield f"{line}: tags (!…) are not read; write the plain value"
        if depth > MAX_DEPTH:
            yield f"{line}: it is nested deeper than {MAX_DEPTH} levels; check the brackets"


def _tagged(event: Event) -> bool:
    return getattr(event, "tag", None) not in (None, "!")


def _syntax(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark else ""
    if isinstance(error, DuplicateKeyError):
        key = re.search(r'duplicate key "(.*?)"', str(error.problem), re.DOTALL)
        return f"{line}the key {key[1] if key else ''!r} stands twice; remove one"
    problem = str(error).partition("\n")[0]
    if isinstance(error, MarkedYAMLError) and error.problem:
        context = f"{error.context}, " if error.problem.startswith("but ") else ""
        problem = context + error.problem
    return f"{line}it is not YAML: {problem}; check indentation, quotes and brackets"


def _plain(node: Any, schema: type[Strict] | None = None) -> Any:
    """Return mappings and tuples without empty values: a field left empty takes its default.

    One that the schema does not know stays, to be refused.
    """
    if isinstance(node, Mapping):
        fields = schema.model_fields if schema else {}
        return {
            key: _plain(value, _section(fields.get(key)))
            for key, value in node.items()
            if value is not None or (schema and key not in fields)
        }
    return tuple(_plain(item) for item in node) if isinstance(node, list) else node


def _section(field: FieldInfo | None) -> type[Strict] | None:
    inner = field.annotation if field else None
    return inner if isinstance(inner, type) and issubclass(inner, Strict) else None


def _fault(detail: ErrorDetails, document: Document, schema: type[Strict]) -> str:
    location = detail["loc"]
    return f"{line(_dotted(location), 200)}: {_worded(detail, document, schema)}"


def _dotted(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).removeprefix(".").removesuffix(".[key]")


def _worded(detail: ErrorDetails, document: Document, schema: type[Strict]) -> str:
    location, value = detail["loc"], detail["input"]
    match detail["type"]:
        case "missing":
            return "it is missing; add it"
        case "extra_forbidden":
            return _unknown(location, schema)
        case "value_error":
            text = str(detail["ctx"]["error"])
            return text if len(text) <= 500 else f"{text[:499]}…"
        case "string_type":
            return _not_text(value, location, document)
        case "int_type" | "int_from_float":
            return f"{show(value)} is not a whole number; write one without quotes, such as 1"
        case "bool_type":
            return f"{show(value)} is neither true nor false; write one of them without quotes"
        case "tuple_type":
            return f"{show(value)} is not a list; write [a, b]"
        case "model_type" | "dict_type":
            return f"{show(value)} is not a mapping; write `field: value` lines below it"
        case "greater_than_equal":
            least = detail["ctx"]["ge"]
            return f"{show(value)} is too small; write {least} or more"
        case _:
            return f"{show(value)}: {detail['msg']}; see what `modelcar schema` says of it"


def show(value: object) -> str:
    """Return `value` for a message: quoted, on one line, not long."""
    try:
        text = repr(list(value) if isinstance(value, tuple) else value)
    except ValueError:
        text = "a number of thousands of digits"
    return text if len(text) <= 80 else f"{text[:77]}…"


def _not_text(value: object, location: tuple[int | str, ...], document: Document) -> str:
    if isinstance(value, tuple | Mapping):
        return f"{show(value)} is not text; write one value"
    if location[-1] == "[key]":
        key = show(value) if isinstance(value, int) else str(value)[:80]
        return f'the key {key} is not text; quote it: "{key}"'
    text = document.written(location)[:80] or show(value)
    return f'{text} is not text to YAML; quote it: "{text}"'


def _unknown(location: tuple[int | str, ...], schema: type[Strict]) -> str:
    parent, name = _dotted(location[:-1]), str(location[-1])
    known = list(_fields(schema))
    beside = [field for field in known if field.rpartition(".")[0] == parent]
    names = [field.rpartition(".")[2] for field in beside]
    elsewhere = [field for field in known if field.rpartition(".")[2] == name]
    close = elsewhere or difflib.get_close_matches(name, names, n=1)
    if close:
        return f"unknown field; did you mean {close[0]}?"
    return f"unknown field; known here: {', '.join(names)}"


def _fields(schema: type[Strict], prefix: str = "") -> Iterator[str]:
    for name, info in schema.model_fields.items():
        yield prefix + name
        if section := _section(info):
            yield from _fields(section, f"{prefix}{name}.")
