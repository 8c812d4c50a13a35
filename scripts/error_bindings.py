"""What a name may stand for where a call stands: the assignments that reach it."""

import ast
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Final

_ENDS: Final = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def reaching(path: Sequence[ast.AST]) -> dict[str, list[ast.expr]]:
    """Return what each name may stand for at the end of `path`, which leads there from the module.

    An assignment in a branch that ends before the call does not reach it.
    """
    found: dict[str, list[ast.expr]] = {}
    for outer, inner in pairwise(path):
        for block in _blocks(outer):
            if inner in block:
                before = block if isinstance(outer, ast.Module) else block[: block.index(inner)]
                for node in before:
                    _take(found, node)
        for name, value in _named(inner) if isinstance(inner, ast.stmt) else ():
            found[name] = [value]
    return found


def _take(found: dict[str, list[ast.expr]], node: ast.AST) -> None:
    """Add what a statement binds: what it gives itself counts alone, a branch's besides."""
    for name, value in _assigned(node):
        earlier = found.get(name, [])
        found[name] = [_Earlier(name, one).visit(deepcopy(value)) for one in earlier] or [value]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return
    for block in _blocks(node):
        if block and not isinstance(block[-1], _ENDS):
            inner = dict(found)
            for one in block:
                _take(inner, one)
            for name, values in inner.items():
                kept = found.setdefault(name, [])
                kept += [value for value in values if value not in kept]


class _Earlier(ast.NodeTransformer):
    """Puts what a name stood for where its next value names it."""

    def __init__(self, name: str, earlier: ast.expr) -> None:
        self._name, self._value = name, earlier

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._value if node.id == self._name else node


def _blocks(node: ast.AST) -> Iterator[list[ast.AST]]:
    """Yield the lists of what stands in a node: bodies, and the cases or handlers around them."""
    for _, value in ast.iter_fields(node):
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            yield value
        elif isinstance(value, list):
            for one in value:
                if isinstance(one, ast.match_case | ast.ExceptHandler):
                    yield one.body  # type: ignore[misc]  # a list of statements


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value
        case ast.AugAssign(target=ast.Name(id=name), value=value):
            yield name, ast.BinOp(ast.Name(name), ast.Add(), value)
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
            for one, value in zip(names, values, strict=False):
                if isinstance(one, ast.Name):
                    yield one.id, value


def _named(node: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Yield what the test of a statement names (`:=`)."""
    for one in ast.walk(getattr(node, "test", ast.Constant(None))):
        if isinstance(one, ast.NamedExpr):
            yield one.target.id, one.value
