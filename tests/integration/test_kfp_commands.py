"""What the commands of KFP's own command line do, as the page on schedules has them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import canary
from tests.docs import pages
from tests.pipeline.compiled_file import ROOT, SHIPPED
from tests.pipelines_place import TOKEN, PipelinesPlace, pipelines_place

PAGE = ROOT / "docs" / "how-to" / "schedule-many.md"
# What the cluster's client would answer.
OC = """#!/bin/sh
case "$1 $2" in
"get configmap") cat "{ca}" ;;
"get route") printf %s "{host}" ;;
"whoami -t") echo "{token}" ;;
*) exit 1 ;;
esac
"""


@pytest.fixture
def pipelines(tmp_path: Path) -> Iterator[PipelinesPlace]:
    with pipelines_place(tmp_path) as found:
        (tmp_path / "compiled").mkdir()
        shutil.copy(SHIPPED, tmp_path / "compiled" / SHIPPED.name)
        host = found.server.url.removeprefix("https://")
        oc = tmp_path / "bin" / "oc"
        oc.parent.mkdir()
        canary.planted(oc).write_text(OC.format(ca=found.ca, host=host, token=TOKEN))
        oc.chmod(0o700)
        yield found


def commands() -> list[str]:
    """Return the commands of the page, from the first that prepares those of KFP."""
    shown = [one.text for one in pages.commands(PAGE.read_text())]
    kfp = [number for number, text in enumerate(shown) if text.startswith("kfp ")]
    first = next(number for number, text in enumerate(shown) if "default-ingress-cert" in text)
    return shown[first : kfp[-1] + 1]


def run(pipelines: PipelinesPlace, *lines: str) -> subprocess.CompletedProcess[str]:
    """Run lines of a shell as a user would, in a folder like a clone."""
    path = [str(pipelines.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    variables = {"PATH": os.pathsep.join(path), "HOME": str(pipelines.folder / "home")}
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)],
        cwd=pipelines.folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=240,
    )


def prepared() -> list[str]:
    """Return what stands before the first command of KFP."""
    return [one for one in commands() if not one.startswith("kfp ")]


def test_the_commands_do_what_the_page_says(pipelines: PipelinesPlace) -> None:
    done = run(pipelines, *commands())
    assert done.returncode == 0, done.stdout + done.stderr
    store = pipelines.server.store
    assert [one["display_name"] for one in store.all("pipelines")] == ["by-hand"]
    assert [one["display_name"] for one in store.all("versions")] == ["by-hand", "second"]
    first, second = store.all("runs")
    given = first["runtime_config"]["parameters"]
    assert (given["model_version"], given["gpu_count"]) == ("1.10", "2")
    assert (given["follow"], given["hf_repo"]) == ("true", "Qwen/Qwen2.5-0.5B-Instruct")
    assert [one["display_name"] for one in (first, second)] == ["first", "second"]
    [nightly] = store.all("recurringruns")
    assert (nightly["mode"], nightly["no_catchup"]) == ("ENABLE", True)
    assert nightly["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * *"
    assert nightly["runtime_config"]["parameters"]["model_version"] == "1.10"


def test_a_value_that_looks_like_a_number_is_refused_without_its_quotes(
    pipelines: PipelinesPlace,
) -> None:
    command = "kfp run create -e e -r r -f compiled/modelcar.yaml model_version=1.10"
    done = run(pipelines, *prepared(), command)
    assert done.returncode != 0
    assert "model_version requires type string" in done.stderr
    assert pipelines.server.store.all("runs") == []


def test_without_the_ca_no_token_is_sent(pipelines: PipelinesPlace) -> None:
    lines = [one for one in prepared() if not one.startswith("kfp()")]
    variables = [f"export {name}=$PWD/ca.crt" for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")]
    # With a namespace it does not ask first, and again and again, whether the server is well.
    done = run(pipelines, *lines, *variables, "kfp -n models pipeline list")
    assert done.returncode != 0
    assert pipelines.server.requests == []


def test_without_enabled_a_recurring_run_never_runs(pipelines: PipelinesPlace) -> None:
    [command] = [one for one in commands() if one.startswith("kfp recurring-run create")]
    done = run(pipelines, *prepared(), command.replace("--enabled ", ""))
    assert done.returncode == 0, done.stderr
    assert [one["mode"] for one in pipelines.server.store.all("recurringruns")] == ["DISABLE"]
