"""What the campaigns of bad input share: one command under limits, and endless answers.

Each hostile case ends right, or with one line of ours; in bounded time and memory, without a
traceback, and without a byte outside of the folders that the command was given.
"""

import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pytest

from tests.byte_path import MODELCAR, surroundings
from tests.campaigns.extent import full
from tests.servers.loopback import LoopbackServer, Request, Response

MEMORY = 256
"""MiB: the most that a command may hold at once, whatever it is answered."""
SECONDS = 60.0
"""The longest that a hostile answer may hold a command up, its tries again among them."""
LIMIT = 3 << 30
"""Bytes of address space: beyond, a runaway ends itself instead of the machine."""
# A process of its own measures: what its parent held would count as the command's.
_MEASURED = """
import resource, subprocess, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
done = subprocess.run(sys.argv[3:])
with open(sys.argv[1], "w") as told:
    told.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(done.returncode if done.returncode >= 0 else 200 - done.returncode)
"""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Done:
    """How a command ended: its code, both outputs, its seconds, and its peak in MiB."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    peak: int

    @property
    def last(self) -> str:
        return (self.stderr.splitlines() or [""])[-1]

    def sound(self, memory: int = MEMORY) -> "Done":
        """Return it, once it ended in one of the ways that a command may end."""
        assert self.code in (0, 1, 2), f"code {self.code}: {self.stderr[-2000:]}"
        for text in (self.stdout, self.stderr):
            assert "Traceback" not in text, text[-4000:]
            assert "MemoryError" not in text, text[-4000:]
            assert not _CONTROL.search(text), repr(_CONTROL.search(text))
            assert len(text) < 1 << 20
        assert self.seconds < SECONDS, f"{self.seconds:.1f} s"
        assert self.peak < memory, f"{self.peak} MiB"
        return self

    def refused(self, *parts: str, code: int = 1, memory: int = MEMORY) -> str:
        """Return our one line, once the command ended with it and it holds `parts`."""
        self.sound(memory)
        assert self.code == code, f"code {self.code}: {self.stdout}{self.stderr}"
        assert not self.stdout, self.stdout
        assert self.last.startswith("modelcar: "), self.stderr
        assert len(self.last) < 2000, f"{len(self.last)} characters"
        for part in parts:
            assert part in self.last, self.last
        return self.last

    def refused_in_lines(self, part: str, code: int) -> None:
        """Hold that the command ended with lines of ours, none of them long, one with `part`."""
        self.sound()
        assert self.code == code, f"code {self.code}: {self.stdout}{self.stderr}"
        lines = self.stderr.removeprefix("modelcar: ").splitlines()
        assert all(line.startswith(("x.yaml: ", "site.yaml: ")) for line in lines), self.stderr
        assert max(map(len, self.stderr.splitlines())) < 2000
        assert part in self.stderr, self.stderr[:2000]

    def well(self, memory: int = MEMORY) -> "Done":
        """Return it, once it ended well."""
        self.sound(memory)
        assert self.code == 0, self.stderr
        return self


def modelcar(folder: Path, *argv: str, **environment: str) -> Done:
    """Run the command line in `folder` under its limits; a hang ends it, and the test."""
    told = folder / ".peak"
    command = [sys.executable, "-I", "-S", "-c", _MEASURED, str(told), str(LIMIT), MODELCAR, *argv]
    given = surroundings(folder, **{"COLUMNS": "200", **environment})
    began = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=folder,
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        start_new_session=True,
    ) as process:
        try:
            stdout, stderr = process.communicate(timeout=2 * SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise AssertionError(f"{argv} hangs") from None
    peak = int(told.read_text()) // 1024
    told.unlink()
    return Done(process.returncode, stdout, stderr, time.monotonic() - began, peak)


@dataclass(frozen=True)
class Endless:
    """Content that begins with `head`, goes on with `block`, and has no end in sight."""

    head: bytes = b""
    block: bytes = b" " * 65536
    size: int = 1 << 42

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        yield self.head
        sent = len(self.head)
        while sent < stop:
            yield self.block[: stop - sent]
            sent += len(self.block)


def endless(head: bytes = b'{"a": "', block: bytes = b"x" * 65536, status: int = 200) -> Response:
    """Return an answer in JSON that does not end."""
    return Response(status, {"Content-Type": "application/json"}, Endless(head, block))


Change = Callable[[Request, Response], Response]


def always(response: Response) -> Change:
    """Return a change to this very answer."""
    return lambda request, answered: response


def reworded(**headers: str | None) -> Change:
    """Return a change of headers; an underscore stands for a dash, and None takes one away."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}

    def change(request: Request, answered: Response) -> Response:
        kept = {name: text for name, text in answered.headers.items() if name not in named}
        given = {name: text for name, text in named.items() if text is not None}
        return replace(answered, headers={**kept, **given})

    return change


def as_json(change: Callable[[Any], Any]) -> Change:
    """Return a change of what an answer says in JSON, but for an error's."""

    def changed(request: Request, answered: Response) -> Response:
        if answered.status != 200:
            return answered
        content = answered.content
        told = json.loads(b"".join(content.blocks(0, content.size)))
        return Response.json(change(told))

    return changed


class Changing(LoopbackServer):
    """Changes the answers of another server's class: those to requests whose path has `part`."""

    changes: Mapping[str, Change] = {}

    def answer(self, request: Request) -> Response:
        answered = super().answer(request)
        for part, change in self.changes.items():
            method, _, ending = part.rpartition(" ")
            if ending in request.target and method in ("", request.method):
                answered = change(request, answered)
        return answered


def nested(depth: int) -> bytes:
    """Return JSON of so many lists within one another."""
    return b"[" * depth + b"]" * depth


def outside(folder: Path) -> dict[str, bytes]:
    """Return what lies below a folder, links by where they lead."""
    return {
        str(path.relative_to(folder)): b"-> " + bytes(path.readlink())
        if path.is_symlink()
        else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


class RawServer:
    """Answers each connection with `head`, an empty line, and `block` without end."""

    def __init__(self, head: bytes, block: bytes, ending: bytes = b"\r\n\r\n") -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with suppress(OSError):
                    while self.rfile.readline().strip():
                        pass
                    self.wfile.write(head + ending)
                    while True:
                        self.wfile.write(block)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def cases(of: Mapping[str, Any], part: int) -> list[Any]:
    """Return the parameters of a hostile case each: all, or in a slice `part` of them."""
    step = 1 if full() else max(1, len(of) // part)
    rows = [case if isinstance(case, tuple) else (case,) for case in of.values()]
    named = [pytest.param(*row, id=name) for name, row in zip(of, rows, strict=True)]
    return named[step // 2 :: step]
