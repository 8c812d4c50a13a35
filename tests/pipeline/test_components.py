"""The faces of the stages: typed, short, and all work left to the library."""

import ast
from pathlib import Path

import pytest

from tests.pipeline.compiled_file import ROOT

FILES = sorted((ROOT / "components").glob("*/component.py"))
LONGEST = 10


def face(path: Path) -> ast.FunctionDef:
    (found,) = (n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_a_body_is_short_and_every_parameter_is_typed(path: Path) -> None:
    function = face(path)
    words, *statements = function.body
    assert isinstance(words, ast.Expr)
    lines = {line for one in statements for line in range(one.lineno, (one.end_lineno or 0) + 1)}
    assert len(lines) <= LONGEST
    assert function.name == path.parent.name
    assert function.returns is not None
    assert all(argument.annotation for argument in function.args.args)


def test_each_stage_has_one() -> None:
    stages = {"plan", "download", "build", "mirror", "register", "deploy", "report"} | {
        *("transfer", "verify")
    }
    assert {path.parent.name for path in FILES} == stages
