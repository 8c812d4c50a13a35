"""The watch itself: a secret that is shown anywhere fails the test that shows it."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import canary
from tests.pipeline.compiled_file import ROOT

HEAD = """
import base64, logging, os, subprocess, sys, urllib.parse, urllib.request
from dataclasses import dataclass
import pytest
from modelcar.errors import ModelCarError, OciRegistryError
from pathlib import Path
from modelcar.oci.auth import Credential
from modelcar.workfolder import WorkFolder
from tests import canary
SECRET = canary.secret("leak")
PYTHON = [sys.executable, "-c"]
"""
LEAKS = {
    "standard output": "print(SECRET)",
    "standard error": "print(SECRET, file=sys.stderr)",
    "output that capsys took": "print(SECRET); capsys.readouterr()",
    "base64, first alignment": "print(base64.b64encode(SECRET.encode()).decode())",
    "base64, second alignment": "print(base64.b64encode(b'a' + SECRET.encode()).decode())",
    "base64, third alignment": "print(base64.b64encode(b'ab' + SECRET.encode()).decode())",
    "base64 of base64": "print(base64.b64encode(base64.b64encode(b'me:' + SECRET.encode())))",
    "percent-encoded": "print(''.join(f'%{one:02X}' for one in SECRET.encode()))",
    "log at debug": "logging.getLogger('some.library').debug('sent %s', SECRET)",
    "log of a logger that is off": "logging.getLogger('x').setLevel(99); "
    "logging.getLogger('x').warning(SECRET)",
    "file": "(tmp_path / 'report.md').write_text(SECRET)",
    "file at a block's edge": "(tmp_path / 'x').write_bytes(b' ' * ((8 << 20) - 3) + "
    "SECRET.encode())",
    "name of a file": "(tmp_path / SECRET).touch()",
    "shared file": "(tmp_path_factory.mktemp('shared') / 'log').write_text(SECRET)",
    "arguments": "subprocess.run(['true', SECRET])",
    "arguments of a child's child": "subprocess.run([*PYTHON, 'import os, sys; "
    "os.system(\"true \" + open(sys.argv[1]).read())', str(tmp_path / 'own')])",
    "os.system": "os.system(f'true {SECRET}')",
    "os.posix_spawn": "os.waitpid(os.posix_spawn('/bin/true', ['true', SECRET], {}), 0)",
    "environment that modelcar gives": "by_modelcar(dict(os.environ, HF_TOKEN=SECRET))",
    "environment that modelcar leaves": "os.environ['HF_TOKEN'] = SECRET; by_modelcar(None)",
    "output of a child": "subprocess.run(['cat', str(tmp_path / 'own')], capture_output=True)",
    "log in a child": "subprocess.run([*PYTHON, 'import logging, sys; "
    'logging.getLogger("x").debug(open(sys.argv[1]).read())\', '
    "str(canary.planted(tmp_path / 'own'))])",
    "error that is caught": "OciRegistryError('a', f'said {SECRET}', 'b', status=4)",
    "error's remedy": "ModelCarError('a', 'b', SECRET)",
    "repr as it is made": "Credential(SECRET, 'x')",
    "repr of what lives": "lives.append(WorkFolder(Path(SECRET)))",
    "secret without a mark": "sent('Bearer unmarked')",
    "password without a mark": "sent('Basic ' + base64.b64encode(b'me:unmarked').decode())",
}
HARMLESS = {
    "a secret that is only held": "held = Credential('me', SECRET)",
    "a planted file": "canary.planted(tmp_path / 'x').write_text(SECRET)",
    "a well-known file": "(tmp_path / 'auth.json').write_text(SECRET)",
    "a proxy's password": "by_modelcar({'HTTPS_PROXY': f'http://me:{SECRET}@x'})",
    "an environment of the test's own": "subprocess.run(['true'], env={'HF_TOKEN': SECRET})",
    "a secret with a mark": "sent(f'Bearer {SECRET}')",
    "a file with a hole": "open(tmp_path / 'x', 'wb').truncate(1 << 42)",
}
HELP = """
from tests.servers.loopback import LoopbackServer, Response
class Server(LoopbackServer):
    def answer(self, request): return Response()
def sent(header):
    with Server() as server:
        asked = urllib.request.Request(server.url, headers={'Authorization': header})
        urllib.request.urlopen(asked).close()
by_modelcar = eval("lambda env: subprocess.run(['true'], env=env)",
                   {'__name__': 'modelcar.x', 'subprocess': subprocess})
lives = []
@pytest.fixture(autouse=True)
def _own(tmp_path): (tmp_path / 'own').write_text(SECRET); canary.planted(tmp_path / 'own')
"""


def session(folder: Path, bodies: dict[str, str], *options: str) -> str:
    """Run a session of one test for each body, in a file of its own; return what pytest says."""
    for at, body in enumerate(bodies.values()):
        test = f"def test_it(tmp_path, tmp_path_factory, capsys, monkeypatch):\n    {body}\n"
        (folder / f"test_{at:02}.py").write_text(f"{HEAD}{HELP}{test}")
    (folder / "pytest.ini").write_text("[pytest]\n")
    argv = ["-q", "-rA", "-p", "tests.canary_watch", f"--basetemp={folder}/temporary", *options]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *argv, str(folder)]
    variables = {**os.environ, "PYTHONPATH": "", "HF_TOKEN": ""}
    with (folder / "said").open("w") as said:
        done = subprocess.run(command, cwd=ROOT, env=variables, stdout=said, stderr=said)
    text = (folder / "said").read_text()
    assert done.returncode in (0, 1), text
    return text


def failed(said: str) -> set[int]:
    return {int(at) for at in re.findall(r"^ERROR \S*test_(\d+)\.py", said, re.MULTILINE)}


@pytest.mark.parametrize("options", [(), ("-n", "2", "--dist", "loadfile")], ids=["one", "two"])
def test_every_leak_fails_its_test_and_nothing_else_does(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    canary.planted(tmp_path)
    cases = {**LEAKS, **HARMLESS}
    said = session(tmp_path, cases, *options)
    names, wrong = list(cases), failed(said)
    assert f"{len(cases)} passed" in said, said
    assert {names[at] for at in wrong} == set(LEAKS), said
    assert said.count("a secret was shown") >= len(LEAKS)


def test_a_secret_without_a_mark_is_told_how_to_be_made(tmp_path: Path) -> None:
    canary.planted(tmp_path)
    said = session(tmp_path, {"one": LEAKS["secret without a mark"]})
    assert "'unmarked', a secret without a mark: make it with tests.canary" in said


@pytest.mark.parametrize("before", range(6))
def test_the_mark_is_found_in_base64_wherever_it_stands(before: int) -> None:
    text = b"x" * before + canary.secret("a").encode() + b"/more"
    once = base64.b64encode(text)
    assert canary.shown(once)
    assert canary.shown(base64.b64encode(b"y" * before + once).decode())
    assert canary.shown(base64.urlsafe_b64encode(text).decode())
    assert not canary.shown(base64.b64encode(b"x" * before + b"nothing here to see"))
