"""What the checks of preflight may find, read from their source: each `Finding(…)` there."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "modelcar"
_FILES = (*sorted((SOURCE / "preflight").glob("*.py")), SOURCE / "tasks" / "listed.py")
_GENERAL = "finding.py"
"""Here an error of ours becomes a finding, whichever check it ends."""
_GIVEN = {"check": "images", "name": "oci_registry, mirror"}
"""Checks whose name is a parameter where they are made."""
_SHOWN = {"claim", "host", "image", "name", "namespace", "path", "repository", "resource", "verb"}
"""What stands for itself in capitals; all else is a gap."""
_GAP = "…"
_OPEN = ("what was found", "as the line says")
"""Where source has no words, but those of an answer."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a check may say; more than one state: it depends."""

    checks: tuple[str, ...]
    states: tuple[str, ...]
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is made: its function, and the constants of its module."""

    function: ast.FunctionDef
    module: ast.Module
    branch: int | None = None
    """Which side of `a if … else b` counts; None: both."""

    def value(self, name: str, line: int) -> ast.expr | None:
        """Return what a variable was given last above a line; None for a parameter."""
        found = None
        for node in sorted(ast.walk(self.function), key=lambda node: getattr(node, "lineno", 0)):
            if getattr(node, "lineno", line) >= line:
                continue
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=value) if target == name:
                    found = value
                case ast.AnnAssign(target=ast.Name(id=target), value=value) if target == name:
                    found = value
                case ast.AugAssign(target=ast.Name(id=target), value=value) if target == name:
                    assert found is not None  # noqa: S101  it adds to what is there
                    found = ast.BinOp(found, ast.Add(), value)
        return found


def findings() -> Iterator[Told]:
    """Yield all that checks may find, in the order of the files."""
    for path in _FILES:
        if path.name == _GENERAL:
            continue
        module = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(module):
            if isinstance(function, ast.FunctionDef):
                yield from _of_function(Place(function, module))


def _of_function(place: Place) -> Iterator[Told]:
    for node in ast.walk(place.function):
        match node:
            case ast.Call(func=ast.Name(id="Finding"), args=[check, state, *texts]):
                depends = isinstance(_resolved(state, place), ast.IfExp)
                for branch in (0, 1) if depends else (None,):
                    on = replace(place, branch=branch)
                    what, remedy = (*(_text(one, on) for one in texts), "")[:2]
                    yield Told(
                        _checks(check, on),
                        _states(state, on),
                        what or _OPEN[0],
                        remedy or (_OPEN[1] if texts[1:] else ""),
                    )


def _checks(node: ast.expr, place: Place) -> tuple[str, ...]:
    known = _resolved(node, place)
    if isinstance(known, ast.Name):
        return tuple(_GIVEN[known.id].split(", "))
    return (_raw(known, place).partition(".")[0],)


def _states(node: ast.expr, place: Place) -> tuple[str, ...]:
    """Return the states that an expression may have: all texts in it, or in the table it reads."""
    known = _resolved(node, place)
    if isinstance(known, ast.Subscript):
        known = _constant(ast.unparse(known.value), place)
    texts = (node.value for node in ast.walk(known) if isinstance(node, ast.Constant))
    states = ("ok", "warning", "unknown", "failed")
    return tuple(sorted({str(text) for text in texts} & set(states), key=states.index))


def _constant(name: str, place: Place) -> ast.expr:
    for node in place.module.body:
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == name and node.value:
            assert isinstance(node.value, ast.Dict)  # noqa: S101  states by what was found
            return ast.Tuple(list(node.value.values))
    raise ValueError(f"{name} is no table of its module")


def _resolved(node: ast.expr, place: Place) -> ast.expr:
    """Return what a variable holds, and the side of a choice that counts."""
    known = node
    if isinstance(node, ast.Name):
        known = place.value(node.id, node.lineno) or node
    if isinstance(known, ast.IfExp) and place.branch is not None:
        return known.orelse if place.branch else known.body
    return known


def _text(node: ast.expr, place: Place) -> str:
    """Return what an expression says by itself, and what stands for the rest; nothing for a gap."""
    text = re.sub(rf"{_GAP}( {_GAP})+", _GAP, _raw(node, place))
    return text if re.search(r"\w{3}", text) else ""


def _raw(node: ast.expr, place: Place) -> str:
    known = _resolved(node, place)
    match known:
        case ast.Constant(value=value):
            return str(value)
        case ast.JoinedStr(values=values):
            return "".join(_raw(one, place) for one in values)
        case ast.FormattedValue(value=value):
            return _raw(value, place)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _raw(left, place) + _raw(right, place)
        case ast.IfExp(body=body, orelse=other):
            return f"{_raw(body, place)}, or {_raw(other, place)}"
        case ast.Name(id=name) | ast.Attribute(attr=name) if name in _SHOWN:
            return name.upper()
        case ast.Name(id="self"):
            return "the account"
        case ast.Name(id=name) if name.isupper() or name.startswith("_"):
            return _named(name, place)
    return _GAP


def _named(name: str, place: Place) -> str:
    """Return a constant of the module, a gap for one of another."""
    for node in place.module.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=found), value=ast.Constant(value=value)):
                if found == name:
                    return str(value)
    return _GAP
