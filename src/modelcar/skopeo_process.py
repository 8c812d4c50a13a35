"""skopeo as a child process: without our secrets, ended when it is silent, and with us."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelcar import connections, secret_variables
from modelcar.errors import MirrorError
from modelcar.progress import Advance

SILENT: Final = "no byte moved"
_LEAST: Final = 1024
"""Bytes that show life: a program that only waits still moves a few between its threads."""
_LOOKS: Final = 20
_SHOW: Final = 1.0
"""Seconds between two words on how many bytes moved."""
_PR_SET_PDEATHSIG: Final = 1
_LINUX: Final = sys.platform == "linux"


def skopeo(
    arguments: Sequence[str], moved: Advance = lambda _: None
) -> subprocess.CompletedProcess[str]:
    """Run skopeo once, and return its exit code and output; `moved` hears of bytes on their way.

    One that moves no byte for `connections.MIRROR` seconds is killed, where the system tells
    (Linux), and its error says so: skopeo itself waits for a silent registry without end. Raises
    MirrorError where it is not installed.
    """
    program = shutil.which("skopeo")
    if program is None:
        remedy = "install it: apt-get install skopeo, dnf install skopeo, or brew install skopeo"
        raise MirrorError("mirroring", "skopeo is not installed", remedy)
    with subprocess.Popen(
        [program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={name: text for name, text in os.environ.items() if name not in secret_variables.NAMES},
        preexec_fn=_ends_with_us(),  # nothing there takes a lock
    ) as process:
        try:
            return _awaited(process, moved)
        except BaseException:
            process.kill()
            raise


def _awaited(process: subprocess.Popen[str], moved: Advance) -> subprocess.CompletedProcess[str]:
    life = _Life(connections.MIRROR)
    while True:
        try:
            output, errors = process.communicate(timeout=min(_SHOW, life.look))
            return subprocess.CompletedProcess(process.args, process.returncode, output, errors)
        except subprocess.TimeoutExpired:
            count = _moved(process.pid)
            moved(life.passed(count) // 2)  # each byte is read, and written
            if life.silent(count):
                process.kill()
                _, errors = process.communicate()
                why = f"{SILENT} for {connections.MIRROR:g} s"
                return subprocess.CompletedProcess(process.args, 1, "", f"{errors}\n{why}")


class _Life:
    """Tells a program that works from one that only waits, within `patience` seconds."""

    def __init__(self, patience: float) -> None:
        self.look = patience / _LOOKS
        """Seconds between two looks at it."""
        self._next = time.monotonic() + self.look
        self._shown = self._seen = self._silent = 0

    def passed(self, count: int | None) -> int:
        """Return how many bytes it moved since the last call; `count` are all so far."""
        before, self._shown = self._shown, self._shown if count is None else count
        return self._shown - before

    def silent(self, count: int | None) -> bool:
        """Return whether it has moved no byte for so long."""
        if time.monotonic() >= self._next:
            alive = count is None or count - self._seen >= _LEAST
            self._silent = 0 if alive else self._silent + 1
            self._seen, self._next = count or 0, time.monotonic() + self.look
        return self._silent >= _LOOKS


def _moved(pid: int) -> int | None:
    """Return how many bytes a process read and wrote (proc(5), `io`); None where none says."""
    with suppress(OSError, ValueError):
        lines = Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines()
        counts = dict(line.split(": ") for line in lines)
        return int(counts["rchar"]) + int(counts["wchar"])
    return None


def _ends_with_us() -> Callable[[], object] | None:
    """Return what has the child killed with this process: an orphan could write the tag later."""
    if not _LINUX:
        return None
    libc, ours = ctypes.CDLL(None), os.getpid()  # before the fork, where it is safe

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != ours:  # it died before
            os._exit(1)

    return ask
