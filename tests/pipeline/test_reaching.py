"""What of the library a stage carries: what its body reaches, on small packages of our own."""

import subprocess
import sys
from pathlib import Path

import pytest

from components._reaching import reached
from tests.pipeline.compiled_file import SHIPPED, CompiledPipeline
from tests.pipeline.test_embedding import source

PIPELINE = CompiledPipeline(SHIPPED)


def stage(*lines: str) -> str:
    return "\n".join(["def stage():", *(f"    {line}" for line in lines)])


def carried(folder: Path, files: dict[str, str], *lines: str) -> dict[str, str]:
    """Return the modules' texts, by their names in the package."""
    texts = reached(source(folder, files), stage(*lines))
    return {name.removeprefix("modelcar").removeprefix("."): text for name, text in texts.items()}


def test_imports_are_followed_also_those_within_functions(tmp_path: Path) -> None:
    files = {
        "first.py": "from modelcar import second\nimport os\n\ndef name(): second.late()",
        "second.py": "def late(): import modelcar.third\n\ndef other(): import modelcar.fourth",
        "third.py": "",
        "fourth.py": "",
    }
    found = carried(tmp_path, files, "from modelcar.first import name", "name()")
    assert found.keys() == {"", "first", "second", "third"}
    assert "other" not in found["second"]
    assert "import os" not in found["first"]


def test_packages_come_with_their_parents(tmp_path: Path) -> None:
    files = {"oci/__init__.py": "from modelcar.oci.deep import name", "oci/deep.py": "name = 1"}
    found = carried(tmp_path, files, "from modelcar.oci import name", "name")
    assert found == {
        "": "",
        "oci": "from modelcar.oci.deep import name\n",
        "oci.deep": "name = 1\n",
    }


def test_what_only_a_type_checker_reads_stays_out(tmp_path: Path) -> None:
    checked = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from modelcar import second"
    files = {"first.py": f"{checked}\n\ndef name(): pass", "second.py": ""}
    assert carried(tmp_path, files, "from modelcar.first import name").keys() == {"", "first"}


def test_modules_that_import_each_other_are_found_once(tmp_path: Path) -> None:
    files = {
        "first.py": "import modelcar.second\n\ndef one(): return modelcar.second.two()",
        "second.py": "from modelcar import first\n\ndef two(): return first.one()",
    }
    found = carried(tmp_path, files, "from modelcar import first", "first.one()")
    assert found.keys() == {"", "first", "second"}
    assert "def two" in found["second"]


def test_what_a_kept_name_needs_is_kept(tmp_path: Path) -> None:
    text = """
LIMIT = 3
UNUSED = 4

def plain(count=LIMIT): pass

@plain
class Base:
    field: "Other" = None

class Child(Base): pass

class Other: pass
"""
    found = carried(tmp_path, {"first.py": text}, "from modelcar.first import Child", "Child()")
    assert "LIMIT" in found["first"]
    assert "def plain" in found["first"]
    assert "@plain" in found["first"]
    assert "UNUSED" not in found["first"]


def test_a_method_stays_when_its_name_is_used_or_a_library_calls_it(tmp_path: Path) -> None:
    text = """
import logging

class Ours:
    def __enter__(self): pass
    def used(self): return later()
    @property
    def forgotten(self): return never()

class Theirs(logging.Handler):
    def emit(self, record): pass

def later(): pass
def never(): pass
"""
    lines = ("from modelcar.first import Ours, Theirs", "Theirs()", "Ours().used()")
    found = carried(tmp_path, {"first.py": text}, *lines)["first"]
    for kept in ("__enter__", "def used", "def later", "def emit"):
        assert kept in found
    for gone in ("forgotten", "@property", "never"):
        assert gone not in found


def test_a_module_that_is_handed_on_is_kept_whole(tmp_path: Path) -> None:
    files = {"first.py": "def one(): pass\n\ndef two(): pass"}
    found = carried(tmp_path, files, "from modelcar import first", "print(first)")
    assert "def one" in found["first"]
    assert "def two" in found["first"]


def test_what_a_template_names_is_kept(tmp_path: Path) -> None:
    text = "class Page:\n    def shown(self): pass\n    def hidden(self): pass"
    files = {"first.py": text, "first.html.j2": "{{ page.shown() }}"}
    found = carried(tmp_path, files, "from modelcar.first import Page", "Page()")
    assert "shown" in found["first"]
    assert "hidden" not in found["first"]


def test_what_runs_on_import_is_kept(tmp_path: Path) -> None:
    files = {"first.py": "import sys\n\nif sys.platform:\n    print(2)\n\ndef name(): pass"}
    found = carried(tmp_path, files, "from modelcar import first")
    assert "print(2)" in found["first"]
    assert "import sys" in found["first"]
    assert "name" not in found["first"]


@pytest.mark.parametrize(
    "name", [name for name in PIPELINE.executors if PIPELINE.executors[name].embedded]
)
def test_no_shipped_stage_misses_a_name(name: str, tmp_path: Path) -> None:
    for path, text in PIPELINE.executors[name].sources.items():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # A quoted type is for the type checker, and never looked up.
        target.write_text(text.replace("'ApiClient'", "None"))
    ruff = str(Path(sys.executable).parent / "ruff")
    rules = "F821,F822,F823"
    options = ["check", "--isolated", "--no-cache", "--select", rules, "--quiet"]
    done = subprocess.run([ruff, *options, tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
