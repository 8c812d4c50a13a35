"""What the kernel says of a process while it runs: its arguments and its environment."""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelcar.secret_variables import NAMES
from tests import auth_files, canary
from tests.byte_path import REPO, modelcar, tiny, told
from tests.campaigns.trusting import Recorder, kubeconfig
from tests.pipeline.compiled_file import ROOT
from tests.servers.docker_registry import DockerRegistry
from tests.servers.hub import HubServer
from tests.servers.model_registry import ModelRegistryServer

TOKEN = canary.secret("proc")
SECRETS = {
    **dict.fromkeys(("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODEL_REGISTRY_TOKEN"), TOKEN),
    **dict.fromkeys(("MODELCAR_ENDPOINT_TOKEN", "KFP_EXISTING_TOKEN", "QUAY_PASSWORD"), TOKEN),
}
# Keeps what the kernel knows of it and of its parent, then becomes the program it stands for.
BEFORE = """#!{python}
import json, os, sys
def told(pid):
    words = [open(f"/proc/{{pid}}/{{name}}", "rb").read() for name in ("cmdline", "environ")]
    return [[one.decode() for one in text.split(b"\\0") if one] for text in words]
with open({rows!r}, "a") as rows:
    rows.write(json.dumps([told("self"), told(os.getppid())]) + "\\n")
os.execv({real!r}, [{real!r}, *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """Return an OCI registry that asks for a login."""
    folder = tmp_path_factory.mktemp("closed")
    asking = auth_files.htpasswd(folder / "htpasswd", "me", TOKEN)
    with DockerRegistry(folder / "oci-registry", htpasswd=asking) as server:
        yield server


def before_skopeo(folder: Path) -> str:
    """Put a program named skopeo before the real one, and return the PATH that finds it."""
    place, real = folder / "bin", shutil.which("skopeo")
    place.mkdir()
    rows = canary.planted(folder / "rows")  # the parent's environment stands there too
    program = place / "skopeo"
    program.write_text(BEFORE.format(python=sys.executable, rows=str(rows), real=real))
    program.chmod(0o755)
    return f"{place}:{os.environ['PATH']}"


def test_skopeo_and_modelcar_show_no_secret_to_who_lists_processes(
    closed: DockerRegistry, tmp_path: Path
) -> None:
    with HubServer({REPO: tiny()}, token=TOKEN) as hub, ModelRegistryServer(token=TOKEN) as models:
        auth_files.write(tmp_path / "auth.json", **{closed.host: auth_files.entry("me", TOKEN)})
        site = {"oci_registry": f"{closed.host}/a", "mirror": f"{closed.host}/b"}
        site |= {"model_registry": models.url, "hub": hub.url}
        (tmp_path / "site.yaml").write_text(json.dumps(site))
        variables = {"PATH": before_skopeo(tmp_path), **SECRETS}
        variables["REGISTRY_AUTH_FILE"] = str(tmp_path / "auth.json")
        variables["HTTPS_PROXY"] = f"http://me:{TOKEN}@127.0.0.1:1"
        argv = ("run", f"hf://{REPO}", "--site", "site.yaml", "--base", "scratch", "--out", "out")
        told(modelcar(tmp_path, *argv, "--skip-preflight", "--json", **variables))

    rows: list[Any] = [json.loads(line) for line in (tmp_path / "rows").read_text().splitlines()]
    assert rows
    for (argv_of_skopeo, environment), (argv_of_modelcar, own) in rows:
        assert "run" in argv_of_modelcar
        assert not canary.shown(" ".join((*argv_of_modelcar, *argv_of_skopeo)))
        assert {name for name in SECRETS if f"{name}={TOKEN}" in own} == set(SECRETS)
        shown = {one.partition("=")[0] for one in environment if canary.shown(one)}
        assert shown == {"HTTPS_PROXY"}, "it needs no secret of ours but the way out"
        assert any(one.startswith("REGISTRY_AUTH_FILE=") for one in environment)


def test_every_variable_that_holds_a_secret_is_kept_from_skopeo() -> None:
    """Each name that sources read and that speaks of a secret is in the one list."""
    assert set(SECRETS) == set(NAMES)
    named = set()
    for path in (ROOT / "src").rglob("*.py"):
        words = path.read_text().replace('"', " ").replace("'", " ").replace("`", " ").split()
        named |= {word.strip("(),;:.") for word in words if word.isupper()}
    secret = {word for word in named if word.endswith(("_TOKEN", "_PASSWORD")) and "$" not in word}
    assert {word for word in secret if not word.startswith("_")} <= set(NAMES)


@pytest.mark.parametrize("verb", ["undeploy", "runs", "versions", "plan", "diagnose"])
def test_at_its_loudest_a_verb_shows_no_secret(verb: str, tmp_path: Path) -> None:
    """The libraries below log whole answers and headers at DEBUG; -v is of modelcar alone."""
    given = {"undeploy": ("x",), "runs": (), "versions": ("x",), "plan": (f"hf://{REPO}",)}
    given["diagnose"] = ("x",)
    space = ("-n", "y") if verb in ("undeploy", "runs", "diagnose") else ()
    with HubServer({REPO: tiny()}, token=TOKEN) as hub, Recorder() as server:
        variables = {**SECRETS, "KUBECONFIG": str(kubeconfig(tmp_path, server.url))}
        variables |= {"HF_ENDPOINT": hub.url, "MODEL_REGISTRY_URL": server.url}
        variables["MODELCAR_PIPELINES_URL"] = server.url
        done = modelcar(tmp_path, verb, "-v", *given[verb], *space, **variables)
    assert "Traceback" not in done.stderr
    assert not canary.shown(done.stdout + done.stderr)


def test_no_library_is_let_to_log_below_a_warning(tmp_path: Path) -> None:
    program = (
        "import logging, sys; from click.testing import CliRunner\n"
        "from modelcar.cli import main\n"
        "CliRunner().invoke(main, ['check', '-v', '/nothing.yaml'])\n"
        "names = ['kubernetes.client.rest', 'kfp_server_api.rest', 'urllib3', 'aiohttp']\n"
        "print([logging.getLogger(name).getEffectiveLevel() for name in names])"
    )
    argv = [sys.executable, "-c", program]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout) == [logging.WARNING] * 4
