"""Ctrl-C ends a command within two seconds, says what stands and how to go on, and leaves nothing.

Each with a terminal and without: there the process group is interrupted, here the one process.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from modelcar.oci.reference import DigestReference
from tests.byte_path import REPO, safetensors, tiny
from tests.interrupting import Command, Ended, await_end
from tests.servers.docker_registry import DockerRegistry
from tests.servers.faulty_proxy import FaultyProxy, Gate
from tests.servers.hub import HubServer
from tests.servers.loopback import Content, Request, Response
from tests.servers.silent import SilentServer
from tests.serving_site import Site

URI = f"hf://{REPO}"
LARGE = 65 << 20
Terminal = tuple[int, int] | None
terminals = pytest.mark.parametrize("terminal", [None, (100, 30)], ids=["pipe", "terminal"])
SHOW, HIDE = "\x1b[?25h", "\x1b[?25l"
"""What shows and hides the cursor."""
DIGEST = f"sha256:{'ab' * 32}"
CATALOG = 'name: tiny\nsource: hf://example/tiny\nversion: "1"\nserving: {gpus: 0, auth: false}\n'


def said(ended: Ended, stands: str, again: str) -> None:
    """Hold that it ended as an interrupt does, with these as its last words."""
    assert ended.code == 130, ended.shown
    assert re.fullmatch(f"modelcar: interrupted {stands}", ended.words[-2]), ended.words
    assert ended.words[-1] == f"to go on: modelcar {again}"
    assert ended.shown.endswith("\n")
    assert "Traceback" not in ended.shown
    assert ended.shown.rfind(SHOW) >= ended.shown.rfind(HIDE)


@terminals
@pytest.mark.parametrize("verb", ["plan", "download", "build"])
def test_before_a_silent_hub(
    tmp_path: Path, silent: SilentServer, terminal: Terminal, verb: str
) -> None:
    target = ["--to", "oci:my images:1"] if verb == "build" else []
    where = {"HF_ENDPOINT": f"http://{silent.host}"}
    with Command(tmp_path, [verb, URI, *target], terminal, **where) as command, silent.accept():
        ended = command.interrupted()
    typed = f"{verb} {URI}" + (" --to 'oci:my images:1'" if target else "")
    said(ended, "in plan: nothing has moved yet", typed)


@terminals
def test_while_the_hub_is_to_be_asked_again(tmp_path: Path, terminal: Terminal) -> None:
    with HubServer({REPO: tiny()}) as hub:
        hub.fail("main", 503, times=9, headers={"Retry-After": "100"})
        with Command(tmp_path, ["plan", URI], terminal, HF_ENDPOINT=hub.url) as command:
            command.await_shown("try 2 of 5 in 100.0 s")
            ended = command.interrupted()
    said(ended, "in plan: nothing has moved yet", f"plan {URI}")


@dataclass(frozen=True)
class Halting:
    """Content that stops coming after some bytes, until the gate opens."""

    content: Content
    gate: Gate

    @property
    def size(self) -> int:
        return self.content.size

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        for number, block in enumerate(self.content.blocks(start, stop)):
            if number == 4:
                self.gate.wait()
            yield block


class HaltingHub(HubServer):
    """Sends the first megabytes of the weights, and no more until the gate opens."""

    def __init__(self, gate: Gate, files: dict[str, bytes]) -> None:
        super().__init__({REPO: files})
        self._gate = gate

    def answer(self, request: Request) -> Response:
        response = super().answer(request)
        if request.path.startswith("/cdn/") and request.path.endswith(".safetensors"):
            return replace(response, content=Halting(response.content, self._gate))
        return response


@terminals
def test_in_a_download(tmp_path: Path, terminal: Terminal) -> None:
    gate, folder = Gate(), re.escape(str(tmp_path / "work"))
    with HaltingHub(gate, tiny(weights=safetensors(11 << 20))) as hub:
        argv = ["download", URI]
        with Command(tmp_path, argv, terminal, HF_ENDPOINT=hub.url) as command:
            assert gate.reached.wait(60)
            ended = command.interrupted()
        gate.release()
    moved = r"[\d.]+ [kM]?B of 11\.5 MB moved into"
    said(
        ended,
        rf"in download: {moved} {folder}/\S+, where whole and half files stay",
        " ".join(argv),
    )


@terminals
def test_in_several_uploads_that_stand_still(
    tmp_path: Path,
    base: DigestReference,
    oci_registry: DockerRegistry,
    repository: str,
    terminal: Terminal,
) -> None:
    shards = {f"model-0000{n}-of-00002.safetensors": safetensors(LARGE, n) for n in (1, 2)}
    files = {path: data for path, data in tiny().items() if "safetensors" not in path} | shards
    with FaultyProxy(oci_registry.host) as proxy, HubServer({REPO: files}) as hub:
        gates = [proxy.stall("PATCH", 1 << 20) for _ in shards]
        place = f"{proxy.host}/{repository}"
        argv = ["build", URI, "--to", f"{place}:1", "--base", str(base)]
        with Command(tmp_path, argv, terminal, HF_ENDPOINT=hub.url) as command:
            for gate in gates:
                assert gate.reached.wait(60)
            command.await_shown("build")
            ended = command.interrupted()
    moved = r"[\d.]+ [kM]?B of 136\.\d MB moved"
    said(ended, f"in build: [01] of 3 layers stand at {place}, {moved}", " ".join(argv))


@terminals
def test_while_skopeo_mirrors(tmp_path: Path, silent: SilentServer, terminal: Terminal) -> None:
    source, target = f"{silent.host}/base/image@{DIGEST}", f"{silent.host}/mirror/image:1"
    with Command(tmp_path, ["mirror", source, target], terminal) as command, silent.accept():
        (child,) = command.children()
        skopeo = os.pidfd_open(child)
        ended = command.interrupted()
        await_end(skopeo)
    stands = "in mirror: the mirror is not complete; layers that are through stand there"
    said(ended, stands, f"mirror {source} {target}")


@terminals
def test_before_a_silent_api_server(
    tmp_path: Path, silent: SilentServer, image: str, terminal: Terminal
) -> None:
    context = {"cluster": "c", "user": "u", "namespace": "ml"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "c", "cluster": {"server": f"http://{silent.host}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": context}],
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tiny.yaml").write_text(CATALOG)
    argv = ["deploy", "tiny.yaml", "--image", image]
    with Command(tmp_path, argv, terminal, KUBECONFIG="config.json") as command, silent.accept():
        ended = command.interrupted()
    said(ended, "in deploy: nothing is known to be applied yet", " ".join(argv))


@terminals
def test_while_a_service_is_waited_for(
    tmp_path: Path, site: Site, image: str, terminal: Terminal
) -> None:
    (tmp_path / "tiny.yaml").write_text(CATALOG)
    argv = ["deploy", "tiny.yaml", "--image", image, "-n", site.namespace]
    kubeconfig = str(site.server.kubeconfig(namespace=site.namespace))
    with Command(tmp_path, argv, terminal, KUBECONFIG=kubeconfig) as command:
        command.await_shown("waiting until it is ready: no pod yet")
        ended = command.interrupted()
    goes_on = "the cluster goes on with what is applied"
    note = "tiny: waiting until it is ready: no pod yet"
    said(ended, rf"in deploy: {goes_on} \({note}\)", " ".join(argv))


def test_a_verb_without_a_view_says_how_to_go_on(tmp_path: Path, silent: SilentServer) -> None:
    argv = ["versions", "tiny", "--model-registry", f"http://{silent.host}"]
    with Command(tmp_path, argv) as command, silent.accept():
        ended = command.interrupted()
    said(ended, "in versions", " ".join(argv))


def test_sigterm_says_the_same_and_exits_143(tmp_path: Path, silent: SilentServer) -> None:
    argv, hub = ["build", URI, "--to", "oci:x:1"], f"http://{silent.host}"
    with Command(tmp_path, argv, HF_ENDPOINT=hub) as command, silent.accept():
        command.process.terminate()
        shown = command.rest().splitlines()
    assert command.process.returncode == 143
    assert shown[-3].startswith("plan: interrupted after ")
    assert shown[-2:] == [
        "modelcar: interrupted in plan: nothing has moved yet",
        f"to go on: modelcar build {URI} --to oci:x:1",
    ]


def test_while_the_modules_are_read(tmp_path: Path) -> None:
    interrupting = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n"
    (tmp_path / "click.py").write_text(interrupting)
    done = subprocess.run(
        [sys.executable, "-m", "modelcar", "check"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "modelcar: interrupted\n"


BETWEEN = """
import os, signal, sys
from modelcar import __main__, cli, interrupts

def struck(leave):
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()

interrupts.heeded = struck
sys.argv = ["modelcar", "check"]
__main__.main()
"""
"""An interrupt once the modules are read, and before it is heeded."""


def test_between_the_modules_and_what_heeds_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BETWEEN], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "modelcar: interrupted\n"
