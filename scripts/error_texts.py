"""Every text by which the library says that something is wrong, read from its source."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Final

from modelcar import errors

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
_NAMED: Final = ("what", "why", "remedy")
_MOST: Final = 12
"""Alternatives of one text that are told."""
Scope = Mapping[str, list[ast.expr]]


@dataclass(frozen=True, slots=True)
class Said:
    """One place that says that something is wrong: its texts, each in its alternatives."""

    place: str
    kind: str
    parts: tuple[tuple[str, ...], ...]

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


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, ast.parse(path.read_text(encoding="utf-8"))


def _said(path: Path, tree: ast.Module, kinds: set[str]) -> Iterator[Said]:
    outer = _bindings(tree.body)
    for function, node in _calls(tree):
        called = ast.unparse(node.func)
        kind = called if called.startswith("click.") else called.rpartition(".")[2]
        if kind in kinds or kind in _PARTS:
            scope = {**outer, **(_bindings(ast.walk(function)) if function else {})}
            places = (0, 1, 2) if kind in kinds else _PARTS[kind]
            parts = tuple(_part(node, place, scope) for place in places)
            place = f"{path.relative_to(ROOT)}:{node.lineno}"
            yield Said(place, kind, parts)


def _calls(tree: ast.AST) -> Iterator[tuple[ast.AST | None, ast.Call]]:
    """Yield each call with the function that it stands in."""
    stack: list[tuple[ast.AST | None, ast.AST]] = [(None, tree)]
    while stack:
        function, node = stack.pop()
        if isinstance(node, ast.Call):
            yield function, node
        inner = node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        stack += [(inner, child) for child in reversed(list(ast.iter_child_nodes(node)))]


def _bindings(nodes: Iterable[ast.AST]) -> dict[str, list[ast.expr]]:
    """Return what each name may stand for, by the assignments among nodes."""
    found: dict[str, list[ast.expr]] = {}
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found.setdefault(name, []).append(value)
            case ast.NamedExpr(target=ast.Name(id=name), value=value):
                found.setdefault(name, []).append(value)
            case ast.AugAssign(target=ast.Name(id=name), value=value):
                before = found.setdefault(name, [ast.Name("…")])
                before.append(ast.BinOp(before[-1], ast.Add(), value))
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                for one, value in zip(names, values, strict=False):
                    if isinstance(one, ast.Name):
                        found.setdefault(one.id, []).append(value)
    return found


def _part(node: ast.Call, place: int, scope: Scope) -> tuple[str, ...]:
    keyword = _NAMED[place] if place < len(_NAMED) else ""
    given = [one.value for one in node.keywords if one.arg == keyword]
    given = [*node.args[place : place + 1], *given]
    return tuple(dict.fromkeys(islice(texts(given[0], scope), _MOST))) if given else ()


def texts(node: ast.expr, scope: Scope, depth: int = 0) -> Iterator[str]:
    """Yield what an expression may say; what is known at run time only stands in braces."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield from _joined(values, scope, depth)
        case ast.FormattedValue(value=ast.Name() as inner):
            yield from texts(inner, scope, depth)
        case ast.FormattedValue(value=value):
            yield f"{{{ast.unparse(value)}}}"
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
            yield f"{{{ast.unparse(node)}}}"


def _values(bound: list[ast.expr] | None) -> list[ast.expr]:
    """Return the values of a dictionary that a name stands for."""
    return [value for one in bound or () if isinstance(one, ast.Dict) for value in one.values]


def _joined(values: list[ast.expr], scope: Scope, depth: int) -> Iterator[str]:
    parts = ([*islice(texts(value, scope, depth), _MOST)] for value in values)
    yield from map("".join, islice(product(*parts), _MOST))
