import importlib.util
import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from modelcar.cli import main
from modelcar.cli_options import steerable
from tests.byte_path import safetensors

PROGRAM = str(Path(sys.executable).parent / "modelcar")
DIGEST = "sha256:" + "ab" * 32
IMAGE = f"quay.io/org/name@{DIGEST}"
HEAVY = (
    "pydantic",
    "rich",
    "huggingface_hub",
    "kubernetes",
    "jinja2",
    "urllib3",
    "kfp",
    "mr_openapi",
    "model_registry",
    "ruamel",
    "yaml",
)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODELCAR_WORKDIR", str(tmp_path / "work"))
    log = logging.getLogger("modelcar")
    level = log.level
    yield tmp_path
    log.setLevel(level)  # each verb sets it


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


PROBE = """
import sys
from modelcar.cli import main
for verb in ([], *([name] for name in main.commands)):
    main([*verb, "--help"], standalone_mode=False)
print("loaded:", sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[1:])))
"""


def test_help_of_every_verb_imports_no_heavy_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *HEAVY], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("Usage: ") == len(main.commands) + 1
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_the_heavy_libraries_are_there_to_be_imported() -> None:
    assert [name for name in HEAVY if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize("verb", sorted(main.commands))
def test_every_verb_explains_itself_and_can_print_json(verb: str) -> None:
    shown = run(verb, "-h")
    assert shown.exit_code == 0
    assert "--json" in shown.output
    command = main.commands[verb]
    assert command.help
    assert command.help.partition("\n")[0].endswith(".")
    options = [item for item in command.params if isinstance(item, click.Option)]
    assert all(item.help for item in options)


def test_the_program_says_its_version() -> None:
    from importlib.metadata import version

    shown = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"modelcar, version {version('modelcar-pipelines')}\n"


def test_what_an_encoding_lacks_is_a_question_mark() -> None:
    done = subprocess.run(
        [PROGRAM, "register", "--help"],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"REF@sha256:?" in done.stdout


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("columns", "lines", "term", "can"),
    [
        *(("80", "24", "xterm", True), ("80", "24", "dumb", False)),
        *(("0", "24", "xterm", False), ("80", "0", "xterm", False)),
    ],
)
def test_a_view_needs_a_terminal_of_some_size(
    monkeypatch: pytest.MonkeyPatch, columns: str, lines: str, term: str, can: bool
) -> None:
    for name, text in {"COLUMNS": columns, "LINES": lines, "TERM": term}.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert steerable() is can


WRONG: list[tuple[list[str], str]] = [
    (["plan", "hf://a/b/c"], "model URI 'hf://a/b/c': it cannot be read; write hf://org/name"),
    (["download", "https://hub/a"], "model URI 'https://hub/a': it cannot be read"),
    (["plan", "org/name"], "org/name: no such file; a model of the Hub is hf://org/name"),
    (["plan", "smal"], "models/smal.yaml: no such model; did you mean small?"),
    (["run", "absent"], "models/absent.yaml: no such model; known: small"),
    (["pin", "hf://org/name"], "hf://org/name: a URI has no catalog file; name a model in models/"),
    (
        ["plan", "small", "--to", "quay.io"],
        "image reference 'quay.io': '' is not a repository name",
    ),
    (["plan", "small", "--to", IMAGE], "a digest cannot be written to; name it as quay.io/org/"),
    (["build", "small", "--to", IMAGE], "a digest cannot be written to; name it as quay.io/org/"),
    (["build", "small", "--to", "quay.io/org/name:"], "'' is not a tag; write host/repository:tag"),
    (["build", "small", "--to", "oci:"], "image reference 'oci:': it names no folder"),
    (["mirror", "org/name", "quay.io/a"], "'org' is not a host (one has a dot or a"),
    (["mirror", "quay.io/a:1", IMAGE], "a digest cannot be written to; name it as quay.io/org/"),
    (["versions", "small"], "asking the Model Registry: none is named; name it with"),
    (["archive", "small", "1"], "asking the Model Registry: none is named; name it with"),
    (
        ["register", "small", "--image", IMAGE, "--model-registry", "http://example.com"],
        "Model Registry address example.com: plain HTTP would show the token",
    ),
    (
        ["register", "small", "--image", "quay.io/a:1", "--model-registry", "https://x"],
        "image 'quay.io/a:1': a tag can move; a digest is needed here",
    ),
    (
        ["deploy", "small", "--image", "quay.io/a:1"],
        "image 'quay.io/a:1': a tag can move; a digest",
    ),
    (["deploy", "small", "--image", "quay.io/a@sha256:1"], "it is not sha256: and 64 hex digits"),
    (
        ["run", "small", "--site", "site-bad.yaml"],
        "site-bad.yaml: mirrr: unknown field; did you mean mirror?",
    ),
    (["run", "small", "--site", "absent.yaml"], "absent.yaml"),
    (["check", "site-bad.yaml"], "site-bad.yaml: mirrr: unknown field; did you mean mirror?"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[" ".join(w[0]) for w in WRONG])
def test_wrong_use_is_one_line_and_exit_code_2(
    empty_folder: Path, arguments: list[str], message: str
) -> None:
    (empty_folder / "models").mkdir()
    source = f"file://{empty_folder}/model"
    text = f'name: small\nsource: {source}\nversion: "1"\n'
    (empty_folder / "models/small.yaml").write_text(text)
    (empty_folder / "site-bad.yaml").write_text("mirrr: quay.io/org\n")
    before = set(empty_folder.rglob("*"))
    done = run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.startswith("modelcar: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert set(empty_folder.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bild"], "No such command 'bild'"),
        (["build", "small"], "Missing option '--to'"),
        (["plan"], "Missing argument 'MODEL'"),
        (["deploy", "small", "--image", IMAGE, "--timeout", "soon"], "'soon' is not a valid float"),
    ],
)
def test_what_click_refuses_exits_2_too(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_without_a_model_registry_registering_is_skipped_and_said_so(
    empty_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = f'name: small\nsource: file://{empty_folder}/model\nversion: "1"\n'
    (empty_folder / "small.yaml").write_text(text)
    done = run("register", "small.yaml", "--image", IMAGE)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing is registered: no Model Registry is named; name it with" in caplog.text
    done = run("register", "small.yaml", "--image", IMAGE, "--json")
    assert json.loads(done.stdout) == {"skipped": "no Model Registry is named"}


def test_every_fault_of_every_file_has_its_line(empty_folder: Path) -> None:
    for name in ("site-a.yaml", "site-b.yaml"):
        (empty_folder / name).write_text("mirrr: x\npvc: ''\n")
    done = run("check")
    assert done.exit_code == 2
    lines = done.stderr.removeprefix("modelcar: ").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["site-a.yaml"] * 2 + ["site-b.yaml"] * 2


def test_an_error_of_the_source_exits_1_without_a_traceback(empty_folder: Path) -> None:
    command = [PROGRAM, "plan", f"file://{empty_folder}/absent"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"modelcar: model folder {empty_folder}/absent: there is no such folder; "
        "name an existing folder as file:///absolute/path\n"
    )


def test_results_go_to_standard_output_as_text_or_json(empty_folder: Path) -> None:
    model = empty_folder / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(safetensors(200))
    target = f"oci:{empty_folder}/images:1"
    first = run("build", f"file://{model}", "--to", target, "--base", "scratch")
    again = run("build", f"file://{model}", "--to", target, "--base", "scratch", "--json")
    assert (first.exit_code, again.exit_code) == (0, 0)
    reference = first.stdout.strip()
    assert reference.startswith(f"{target}@sha256:")
    assert reference.endswith(json.loads(again.stdout)["digest"])


def test_an_interrupt_says_so_and_exits_130(empty_folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hub:
        hub.settimeout(60)
        endpoint = f"http://127.0.0.1:{hub.getsockname()[1]}"
        environment = {**os.environ, "HF_ENDPOINT": endpoint, "NO_PROXY": "127.0.0.1"}
        command = [PROGRAM, "plan", "hf://org/name"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        # The Hub takes the request and never answers: the verb waits for it now.
        connection, _ = hub.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert told == (
        "modelcar: interrupted in plan: nothing has moved yet\n"
        "to go on: modelcar plan hf://org/name\n"
    )
