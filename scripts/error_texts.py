"""Every text by which the library says that something is wrong, read from its source."""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice, product
from pathlib import Path
from typing import Final

from modelcar import errors
from scripts.error_bindings import reaching

ROOT: Final = Path(__file__).resolve().parents[1]
SOURCE: Final = ROOT / "src" / "modelcar"
_PARTS: Final = {
    "Finding": (2, 3),
    "Rule": (2, 3),
    "refusal": (0, 1),
    "click.UsageError": (0,),
    "click.BadParameter": (0,),
    "ValueError": (0,),
    "warning": (0,),
    "error": (0,),
}
"""Where the texts stand among the arguments of calls that are no errors of ours."""
_OF: Final = {"Finding": (0, 1)}
"""Where such a call names what it is of: a finding its check and its state."""
_NAMED: Final = ("what", "why", "remedy")
_MOST: Final = 12
"""Alternatives of one text that are told."""
GAP: Final = "…"
_TOLD: Final = {
    "claim",
    "host",
    "image",
    "name",
    "namespace",
    "path",
    "repository",
    "resource",
    "verb",
}
_ACCOUNT: Final = "the account"
Scope = Mapping[str, list[ast.expr]]


@dataclass(frozen=True, slots=True)
class Said:
    """One place that says that something is wrong: its texts, each in its alternatives."""

    place: str
    kind: str
    parts: tuple[tuple[str, ...], ...]
    of: tuple[tuple[str, ...], ...] = ()

    def texts(self) -> tuple[str, ...]:
        """Return every text, whichever part it is."""
        return tuple(text for part in self.parts for text in part)


def ours() -> set[str]:
    """Return the names of the library's errors, also of those that a module has for itself."""
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    for _, tree in _modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and kinds & {ast.unparse(one) for one in node.bases}:
                kinds.add(node.name)
    return kinds


def every() -> list[Said]:
    """Return all places of the library, in the order of its files."""
    kinds = ours()
    return [said for path, tree in _modules() for said in _said(path, tree, kinds)]


def shown(text: str) -> str:
    """Return a text for a reader: names that say enough in capitals, all else as a gap."""
    known = constants()

    def told(match: re.Match[str]) -> str:
        name = match[1].rpartition(".")[2]
        if name in known:
            return known[name]
        return name.upper() if name in _TOLD else _ACCOUNT if name == "self" else GAP

    return re.sub(rf"{GAP}( ?{GAP})+", GAP, re.sub(r"⟨([^⟨⟩]*)⟩", told, text))


@cache
def constants() -> dict[str, str]:
    """Return the library's constants that are texts, by names that stand for one text only."""
    found: dict[str, set[str]] = {}
    for node in (node for _, tree in _modules() for node in tree.body):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text)))
            ):
                found.setdefault(name, set()).add(text)
    return {name: text for name, (text, *others) in found.items() if name.isupper() and not others}


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _said(path: Path, tree: ast.Module, kinds: set[str]) -> Iterator[Said]:
    for node, way in _calls(tree):
        called = ast.unparse(node.func)
        kind = called if called.startswith("click.") else called.rpartition(".")[2]
        if kind in kinds or kind in _PARTS:
            scope = reaching(way)
            places = (0, 1, 2) if kind in kinds else _PARTS[kind]
            parts = tuple(_part(node, place, scope) for place in places)
            of = tuple(_part(node, place, scope) for place in _OF.get(kind, ()))
            yield Said(f"{path.relative_to(ROOT)}:{node.lineno}", kind, parts, of)


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, list[ast.AST]]]:
    """Yield each call with the nodes that lead to it."""
    stack: list[list[ast.AST]] = [[tree]]
    while stack:
        way = stack.pop()
        if isinstance(way[-1], ast.Call):
            yield way[-1], way
        stack += [[*way, child] for child in reversed(list(ast.iter_child_nodes(way[-1])))]


def _part(node: ast.Call, place: int, scope: Scope) -> tuple[str, ...]:
    keyword = _NAMED[place] if place < len(_NAMED) else ""
    given = [one.value for one in node.keywords if one.arg == keyword]
    given = [*node.args[place : place + 1], *given]
    return tuple(dict.fromkeys(islice(texts(given[0], scope), _MOST))) if given else ()


def texts(node: ast.expr, scope: Scope, depth: int = 0) -> Iterator[str]:
    """Yield what an expression may say; what is known at run time only stands in ⟨⟩."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield from _joined(values, scope, depth)
        case ast.FormattedValue(value=ast.Name() | ast.IfExp() as inner):
            yield from texts(inner, scope, depth)
        case ast.FormattedValue(value=value):
            yield f"⟨{ast.unparse(value)}⟩"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from _joined([left, right], scope, depth)
        case ast.IfExp(body=body, orelse=other):
            yield from texts(body, scope, depth)
            yield from texts(other, scope, depth)
        case ast.BoolOp(values=values):
            for value in values:
                yield from texts(value, scope, depth)
        case ast.Tuple(elts=[value]):
            yield from texts(value, scope, depth)
        case ast.Name(id=name) if scope.get(name) and depth < 3:
            for value in scope[name]:
                yield from texts(value, scope, depth + 1)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get"), args=given) if (
            values := _values(scope.get(name))
        ):
            for value in (*values, *given[1:]):
                yield from texts(value, scope, depth + 1)
        case ast.Subscript(value=ast.Name(id=name)) if values := _values(scope.get(name)):
            for value in values:
                yield from texts(value, scope, depth + 1)
        case _:
            yield f"⟨{ast.unparse(node)}⟩"


def _values(bound: list[ast.expr] | None) -> list[ast.expr]:
    """Return the values of a dictionary that a name stands for."""
    return [value for one in bound or () if isinstance(one, ast.Dict) for value in one.values]


def _joined(values: list[ast.expr], scope: Scope, depth: int) -> Iterator[str]:
    parts = ([*islice(texts(value, scope, depth), _MOST)] for value in values)
    yield from map("".join, islice(product(*parts), _MOST))
