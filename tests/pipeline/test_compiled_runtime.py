"""What a stage carries and installs: its own modules, pinned packages, small enough for Argo."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components._carried import SHARING, carried, source_of
from components._reaching import reached
from tests.pipeline.argo_size import packed
from tests.pipeline.compiled_file import (
    EVERY,
    OVERLAPPED,
    SHIPPED,
    CompiledPipeline,
    Executor,
    sources,
)

PIPELINE, OTHER = CompiledPipeline(SHIPPED), CompiledPipeline(OVERLAPPED)
EXECUTORS = {**OTHER.executors, **PIPELINE.executors}
STAGES = [name for name in EXECUTORS if name != "mirror"]
# The rest find on the volume what another has left there.
CARRYING = [name for name in STAGES if EXECUTORS[name].embedded]
# Not more than this: an argv string, a component's archive, all archives, the dashboard's file.
WORD, ARCHIVE, ARCHIVES, FILE = 100_000, 75_000, 130_000, 1_000_000
# Argo refuses a workflow of 1,048,576 bytes.
WORKFLOW = 1_032_000
LEFT_OUT = re.compile(r"^\s*(?:import|from)\s+(pydantic|modelcar\.(?:catalog|cli|run)\b)", re.M)

ORDER = ("plan", "download", "transfer", "build", "mirror", "register", "deploy", "verify")

PROBE = """
import importlib.abc, importlib.metadata, json, sys
folder, allowed, statements = sys.argv[1], set(json.loads(sys.argv[2])), json.loads(sys.argv[3])

class Absent(importlib.abc.MetaPathFinder):
    owners = importlib.metadata.packages_distributions()
    def find_spec(self, name, path=None, target=None):
        owners = {owner.lower().replace("_", "-") for owner in self.owners.get(name, ())}
        if owners and not owners & allowed:
            raise ModuleNotFoundError(f"{name} is not installed in this stage", name=name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, folder)
for statement in statements:
    exec(statement)
import kfp.dsl.executor_main
import modelcar
print(modelcar.__file__)
"""


@pytest.fixture(params=CARRYING)
def stage(request: pytest.FixtureRequest) -> Executor:
    return EXECUTORS[request.param]


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_everything_stays_within_the_limits_of_argo_and_the_dashboard(path: Path) -> None:
    executors = CompiledPipeline(path).executors.values()
    sizes = {executor.name: len(executor.embedded) for executor in executors}
    assert max(sizes.values()) <= ARCHIVE, sizes
    assert sum(sizes.values()) <= ARCHIVES, sizes
    assert max(len(word.encode()) for executor in executors for word in executor.words) < WORD
    assert path.stat().st_size < FILE
    pipeline = CompiledPipeline(path)
    assert max(packed(pipeline, failed) for failed in ("", *pipeline.tasks)) < WORKFLOW


def test_archive_holds_the_modules_that_the_stage_imports(stage: Executor) -> None:
    sources = stage.sources
    assert sources.keys() >= {"modelcar/__init__.py", "modelcar/task.py", "modelcar/errors.py"}
    assert {Path(path).suffix for path in sources} <= {".py", ".j2"}
    assert {path.split("/")[0] for path in sources} == {"modelcar"}
    for name in ("catalog", "entry", "cli", "cli_options", "run", "site", "faults"):
        assert f"modelcar/{name}.py" not in sources
    for text in sources.values():
        assert not LEFT_OUT.search(text)


def test_templates_go_with_the_report() -> None:
    carrying = {
        name for name in CARRYING if any(path.endswith(".j2") for path in EXECUTORS[name].sources)
    }
    assert carrying == {"report"}


def test_every_requirement_is_one_version(stage: Executor) -> None:
    pinned = [word for word in stage.requirements if not word.endswith('python_version<"3.9"')]
    assert "kfp==2.17.0" in pinned
    assert all(re.fullmatch(r"[a-z0-9.-]+==[\w.]+", word) for word in pinned), pinned


@pytest.mark.parametrize("name", STAGES)
def test_stage_needs_nothing_that_it_does_not_install(name: str, tmp_path: Path) -> None:
    stage, body = EXECUTORS[name], source_of(name)
    own = sources(carried(body).text)
    for path, text in own.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    texts = [text for path, text in own.items() if path.endswith(".py")]
    allowed = [word.partition("==")[0] for word in stage.requirements]
    statements = [*_imports(body), *(one for text in texts for one in _imports(text))]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, tmp_path, json.dumps(allowed), json.dumps(statements)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "_KFP_RUNTIME": "true"},  # kfp's sign that this is no place to compile
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "modelcar/__init__.py")


def test_archive_is_what_the_bodies_ask_for(stage: Executor) -> None:
    bodies = "\n".join(map(source_of, sharing(stage.stage)))
    expected = reached(SHIPPED.parents[1] / "src", bodies)
    found = {path for path in stage.sources if path.endswith(".py")}
    names = {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in found}
    assert names == set(expected)


@pytest.mark.parametrize("name", [name for name in STAGES if name not in CARRYING])
def test_what_a_stage_finds_is_what_another_leaves_before_it(name: str) -> None:
    (wanted,) = set(re.findall(r"'([0-9a-f]{64})'", EXECUTORS[name].text))
    group = sharing(name)
    leaving = [other for other in CARRYING if other in group]
    assert leaving
    for other in leaving:
        assert f"_path = os.path.join(os.environ['MODELCAR_CODE'], '{wanted}')" in (
            EXECUTORS[other].text
        )
    for pipeline in (PIPELINE, OTHER):
        order = [task for task in ORDER if task in pipeline.tasks]
        if name in order:
            assert any(order.index(one) < order.index(name) for one in leaving if one in order)
            assert name in _after(pipeline, leaving)


def sharing(stage: str) -> tuple[str, ...]:
    """Return the stages that share an archive with this one."""
    return SHARING if stage in SHARING else (stage,)


def _after(pipeline: CompiledPipeline, stages: list[str]) -> set[str]:
    """Return the tasks that start only once one of these stages has ended."""
    found = set(stages)
    while more := {
        name
        for name, task in pipeline.tasks.items()
        if name not in found and found & set(task.get("dependentTasks", ()))
    }:
        found |= more
    return found


def _imports(text: str) -> Iterator[str]:
    """Yield every import that may run, also those within functions."""
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield ast.unparse(node)
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            waiting += ast.iter_child_nodes(node)
