"""How a run of tests ends, with one worker or more: what was skipped is listed, or fails it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WANTING = "KUBEBUILDER_ASSETS does not name a folder with etcd and kube-apiserver"
TESTS = f"""
import pytest

@pytest.fixture(scope="session")
def part():
    pytest.skip("{WANTING}")

def test_with_a_part(part):
    pass

@pytest.mark.skipif(True, reason="it is too late")
def test_at_night():
    pass

def test_anyway():
    pass
"""


@pytest.fixture(params=["0", "2"], ids=["serial", "two-workers"])
def workers(request: pytest.FixtureRequest) -> str:
    number: str = request.param
    return number


def ended(folder: Path, workers: str, tests: str, **variables: str) -> tuple[int, str]:
    """Run `tests` with the conftest of ours, and return the exit status and what it says."""
    (folder / "test_some.py").write_text(tests)
    unset = ("KUBEBUILDER_ASSETS", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n", workers, "-p", "tests.conftest", "test_some.py"],
        env={**environment, "PYTHONPATH": str(ROOT), **variables},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout


def test_what_was_skipped_is_listed_with_its_reason(workers: str, tmp_path: Path) -> None:
    status, said = ended(tmp_path, workers, TESTS)
    assert status == 0
    assert f"test_some.py::test_with_a_part: {WANTING}" in said
    assert "test_some.py::test_at_night: it is too late" in said
    assert "test_anyway:" not in said


def test_what_is_skipped_although_its_part_is_there_fails_the_run(
    workers: str, tmp_path: Path
) -> None:
    status, said = ended(tmp_path, workers, TESTS, KUBEBUILDER_ASSETS="/somewhere")
    assert status == pytest.ExitCode.TESTS_FAILED
    assert "test_with_a_part was skipped although KUBEBUILDER_ASSETS is set" in said


def test_nothing_skipped_is_said_too(workers: str, tmp_path: Path) -> None:
    status, said = ended(tmp_path, workers, "def test_anyway(): pass")
    assert status == 0
    assert "nothing was skipped" in said
