"""Nothing that a user, a Hub or a site says is read by a shell, or taken for an option."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from modelcar import retries
from modelcar.cli import main
from modelcar.oci.reference import Layout
from tests.byte_path import REPO, modelcar, tiny, write
from tests.campaigns.extent import full
from tests.pipeline.compiled_file import EVERY, ROOT, CompiledPipeline
from tests.servers.hub import HubServer

SHELLS = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
SHELLS |= {"asyncio.create_subprocess_shell", "pty.spawn", "eval", "exec"}
PLACEHOLDER = re.compile(r"\{\{")
HOSTILE = (
    *("--help", "-v", "--debug", "-", "--authfile=x", "$(touch pwned)", "`touch pwned`"),
    *("; touch pwned", "a;touch pwned", "|touch pwned", "&& touch pwned", "a\ntouch pwned"),
    *("'; touch pwned; '", '"; touch pwned; "', "${IFS}", "../../pwned", "~root", "a b", "*"),
    *("{{workflow.name}}", "{{$.inputs.parameters['x']}}", "%0atouch pwned", "", " ", "\t"),
)
TEXTS = HOSTILE if full() else HOSTILE[::5]
SKOPEO = """#!/bin/sh
exec {python} -c 'import json, sys; open({rows!r}, "a").write(json.dumps(sys.argv[1:]) + "\\n")
sys.exit("level=fatal msg=enough")' "$@"
"""


def _calls(path: Path) -> list[str]:
    """Return the calls in a source that would start a shell, or read text as a program."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    named = [ast.unparse(call.func) for call in calls]
    asked = [
        ast.unparse(call) for call in calls if any(word.arg == "shell" for word in call.keywords)
    ]
    return [name for name in named if name in SHELLS] + asked


def test_no_source_starts_a_shell() -> None:
    folders = ("src", "components", "pipelines", "scripts")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 200
    assert {path.name: found for path in paths if (found := _calls(path))} == {}


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.name)
def test_no_value_stands_in_what_a_shell_reads(path: Path) -> None:
    executors = CompiledPipeline(path).executors
    assert executors
    for name, executor in executors.items():
        words = executor.words
        program = words[0].rpartition("/")[2]
        scripts = words[: words.index("--executor_input")] if program != "skopeo" else []
        assert program in ("sh", "skopeo"), name
        assert not [word for word in scripts if PLACEHOLDER.search(word)], name


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.name)
def test_skopeo_takes_no_value_for_an_option(path: Path) -> None:
    """A placeholder that begins a word is a source or a destination, which a task wrote."""
    words = CompiledPipeline(path).executors["mirror"].words
    assert words[0] == "skopeo"
    bare = [word for word in words if word.startswith("{{")]
    assert (
        bare
        == words[-2:]
        == [
            "{{$.inputs.parameters['source']}}",
            "{{$.inputs.parameters['destination']}}",
        ]
    )


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where a program named skopeo notes each of its arguments."""
    found, folder = tmp_path / "rows", tmp_path / "bin"
    folder.mkdir()
    program = folder / "skopeo"
    program.write_text(SKOPEO.format(python=sys.executable, rows=str(found)))
    program.chmod(0o755)
    monkeypatch.setattr(retries, "PAUSE", 0.001)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return found


def call(folder: Path, *argv: str) -> Result:
    return CliRunner().invoke(main, argv, env={"MODELCAR_WORKDIR": str(folder / "work")})


def harmless(done: Result, folder: Path) -> None:
    """Assert that a verb ended well or with one line, and that nothing of the text came to life."""
    assert isinstance(done.exception, SystemExit | None), done.exception
    assert done.exit_code in (0, 1, 2)
    assert "Traceback" not in done.output
    assert not list(folder.parent.rglob("pwned"))


@pytest.mark.parametrize("text", TEXTS)
def test_a_hostile_name_is_refused_or_a_name(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    with HubServer({REPO: tiny()}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        uri, image = f"hf://{REPO}", f"quay.io/a/b@sha256:{'ab' * 32}"
        given = [
            *(("plan", "--", text), ("plan", "--", f"hf://{text}"), ("plan", f"{uri}@{text}")),
            *(("build", uri, "--base", "scratch", f"--to={text}"),),
            *(("build", uri, "--base", "scratch", f"--to=127.0.0.1:1/a:{text}"),),
            *(("build", uri, f"--base={text}", f"--to=oci:{tmp_path}/image:1"),),
            *(("mirror", "--", image, text), ("mirror", "--", text, "quay.io/a/c:1")),
            *(("mirror", "--", image, f"quay.io/a/c:{text}"),),
            *(("mirror", "--", image, f"quay.io/{text}:1"),),
            *(("mirror", "--", image, f"oci:{text}:1"), ("mirror", "--", image, f"oci:x:{text}")),
            *(("mirror", "--", f"oci:{text}@sha256:{'ab' * 32}", "quay.io/a/c:1"),),
            *(("versions", "--model-registry=127.0.0.1:1", "--", text),),
        ]
        for argv in given:
            harmless(call(tmp_path, *argv), tmp_path)
    for line in rows.read_text().splitlines() if rows.exists() else ():
        *options, source, destination = json.loads(line)
        assert source.startswith(("docker://", "oci:"))
        assert destination.startswith(("docker://", "oci:"))
        assert {word.partition("=")[0] for word in options} <= OPTIONS, options


OPTIONS = {
    *("copy", "--all", "--preserve-digests", "--retry-times", "--digestfile"),
    *("--src-tls-verify", "--dest-tls-verify", "--src-cert-dir", "--dest-cert-dir"),
    *("--command-timeout",),
}


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_words_of_a_catalog_and_a_site_do_nothing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "model", tiny())
    entry = {"name": "x", "source": f"file://{tmp_path}/model", "version": "1"}
    for field in ("name", "version", "source"):
        (tmp_path / "x.yaml").write_text(yaml.safe_dump({**entry, field: text}))
        (tmp_path / "site.yaml").write_text("{}\n")
        harmless(call(tmp_path, "check", "x.yaml"), tmp_path)
        harmless(call(tmp_path, "run", "x.yaml", "--base", "scratch", "--out", "out"), tmp_path)
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(entry))
    for field in ("oci_registry", "mirror", "namespace", "model_registry", "hub"):
        (tmp_path / "site.yaml").write_text(yaml.safe_dump({field: text}))
        harmless(call(tmp_path, "check", "site.yaml"), tmp_path)


def test_a_layout_whose_folder_is_an_option_is_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "model", tiny())
    argv = ["build", "file://" + str(tmp_path / "model"), "--base", "scratch"]
    done = modelcar(tmp_path, *argv, "--to", "oci:--help:1")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "--help" / "index.json").is_file()
    assert str(Layout(Path("--help"))) == "oci:--help"
