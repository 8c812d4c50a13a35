"""Shell completion, in the shells themselves where they are there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).parent / "modelcar"
SHELLS = ("bash", "zsh", "fish")
BASH = """
source <(modelcar completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
compopt() { asked="$1 $2"; }
_modelcar_completion modelcar
printf '%s\\n' "${COMPREPLY[@]}" "${asked:+compopt $asked}"
"""
HEAVY = ("pydantic", "rich", "kubernetes", "urllib3", "yaml", "ruamel", "jinja2")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    for name in ("models/small.yaml", "models/smaller.yaml", "models/large.yaml"):
        (tmp_path / name).touch()
    for name in ("site.yaml", "site-test.yaml", "small-copy.yaml", "notes.txt"):
        (tmp_path / name).touch()
    return tmp_path


def environment() -> dict[str, str]:
    return {**os.environ, "PATH": f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"}


def completed(folder: Path, *words: str) -> list[str]:
    """Return what bash offers for the last of these words."""
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", "modelcar", *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["pl"], ["plan"]),
        (["sch"], ["schedule", "schedules", "schema"]),
        (["run", "--sk"], ["--skip-preflight"]),
        (["plan", ""], ["large", "small", "smaller"]),
        (["plan", "sm"], ["small", "smaller", "small-copy.yaml"]),
        (["plan", "models/"], ["compopt -o default"]),
        (["plan", "hf://"], []),
        (["diagnose", "l"], ["large"]),
        (["run", "small", "--site", ""], ["site-test.yaml", "site.yaml", "small-copy.yaml"]),
        (["preflight", "small", "--site", "site-"], ["site-test.yaml"]),
        (["schema", ""], ["catalog", "site"]),
        (["completion", "z"], ["zsh"]),
    ],
    ids=str,
)
def test_bash_completes(folder: Path, words: list[str], offered: list[str]) -> None:
    assert completed(folder, *words) == offered


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_is_sound_where_its_shell_is_there(tmp_path: Path, shell: str) -> None:
    argv = [str(PROGRAM), "completion", shell]
    script = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    as_json = subprocess.run([*argv, "--json"], capture_output=True, text=True, check=True).stdout
    assert "_MODELCAR_COMPLETE" in script
    assert json.loads(as_json)["script"].strip() == script.strip()
    path = tmp_path / "script"
    path.write_text(script)
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(path)], check=True)


def test_completing_imports_nothing_heavy(folder: Path) -> None:
    program = (
        "import sys\nfrom modelcar.cli import main\n"
        "try: main(prog_name='modelcar')\n"
        "except SystemExit: pass\n"
        f"print('loaded:', sorted(set(sys.modules) & set({HEAVY})))"
    )
    asked = {
        "_MODELCAR_COMPLETE": "bash_complete",
        "COMP_WORDS": "modelcar plan s",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "plain,small",
        "plain,smaller",
        "plain,small-copy.yaml",
        "loaded: []",
    ]
