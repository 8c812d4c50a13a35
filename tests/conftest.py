"""What every test has: the outside parts by variable, and a closing list of what was skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ("tests.canary_watch",)
OWN = (
    *("HF_TOKEN", "HF_ENDPOINT", "KUBECONFIG", "MODEL_REGISTRY_URL"),
    *("MODELCAR_WORKDIR", "MODELCAR_ENDPOINT_TOKEN", "MODELCAR_PIPELINES_URL"),
    "MODELCAR_CA_BUNDLE",
)
OUTSIDE = ("KUBEBUILDER_ASSETS", "KSERVE_CRDS", "MODEL_REGISTRY_OPENAPI")


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep the user's credentials, caches and clusters out of the tests."""
    for name in OWN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "no-auth.json"))
    monkeypatch.setenv("HF_TOKEN_PATH", str(tmp_path / "no-token"))
    yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was skipped and why, also when that is nothing."""
    skipped = terminalreporter.stats.get("skipped", [])
    terminalreporter.section("skipped")
    for report in skipped:
        terminalreporter.line(f"{report.nodeid}: {_reason(report)}")
    if not skipped:
        terminalreporter.line("nothing was skipped")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when a test was skipped for want of a part that is there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    for report in reporter.stats.get("skipped", []):
        wrongly = [name for name in OUTSIDE if name in _reason(report) and os.environ.get(name)]
        if wrongly:
            reporter.write_line(f"\n{report.nodeid} was skipped although {wrongly[0]} is set")
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    detail = report.longrepr
    return str(detail[2] if isinstance(detail, tuple) else detail).removeprefix("Skipped: ")
