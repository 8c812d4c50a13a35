"""A command in a process of its own, with or without a terminal, that is interrupted."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.byte_path import MODELCAR, surroundings

PROMISED = 2.0
"""Seconds in which an interrupt ends a command."""
_WAIT = 60.0
_INTERRUPT, _REST = b"\x03", b"\x1a"
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Ended:
    """How an interrupted command ended; `seconds` are from the interrupt on."""

    code: int
    shown: str
    seconds: float

    @property
    def words(self) -> list[str]:
        """The lines it leaves, without what steers a terminal."""
        return [line for line in plain(self.shown).splitlines() if line]


class Command:
    """Runs `modelcar`, or another `program`, in `folder` while it is entered.

    It leads a session of its own. With a `terminal` of so many columns and rows, it has that for
    everything; else standard error is a pipe.
    """

    def __init__(
        self,
        folder: Path,
        argv: Sequence[str],
        terminal: tuple[int, int] | None = None,
        program: Sequence[str] = (MODELCAR,),
        **environment: str,
    ) -> None:
        self._shown, self._news = b"", threading.Condition()
        variables = surroundings(folder, **environment)
        for name in ("COLUMNS", "LINES"):  # they would count more than the terminal's size
            variables.pop(name, None)
        self._ours, theirs = pty.openpty() if terminal else os.pipe()
        if terminal:
            self.resize(*terminal)
        self.process = subprocess.Popen(
            [*program, *argv],
            cwd=folder,
            env={**variables, "TERM": environment.get("TERM", "xterm-256color")},
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs if terminal else subprocess.DEVNULL,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal if terminal else None,
        )
        os.close(theirs)
        self._terminal = terminal is not None
        self._reader = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        os.close(self._ours)

    @property
    def shown(self) -> str:
        """All that came so far."""
        return self._shown.decode(errors="replace")

    def await_shown(self, words: str) -> None:
        """Wait until it has shown `words`."""
        with self._news:
            assert self._news.wait_for(lambda: words in plain(self.shown), _WAIT), self.shown

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def interrupt(self) -> None:
        """Type Ctrl-C, or without a terminal send the signal to this process alone."""
        if self._terminal:
            os.write(self._ours, _INTERRUPT)
        else:
            self.process.send_signal(signal.SIGINT)

    def rest_now(self) -> None:
        """Type Ctrl-Z."""
        os.write(self._ours, _REST)

    def interrupted(self) -> Ended:
        """Interrupt it, and return how it ended; fails where that takes longer than promised."""
        began = time.monotonic()
        self.interrupt()
        code = self.process.wait(PROMISED * load())
        seconds = time.monotonic() - began
        return Ended(code, self.rest(), seconds)

    def rest(self) -> str:
        """Return all that it showed, once it has ended."""
        self.process.wait(_WAIT)
        self._reader.join()
        return self.shown

    def children(self) -> list[int]:
        """Return its child processes."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def _read(self) -> None:
        with suppress(OSError):  # a terminal whose other end is closed
            while block := os.read(self._ours, 65536):
                with self._news:
                    self._shown += block
                    self._news.notify_all()


def load() -> float:
    """Return how many times longer things may take, since others use this machine too."""
    return max(1.0, 2 * os.getloadavg()[0] / (os.cpu_count() or 1))


def await_end(descriptor: int) -> None:
    """Wait until the process of a pidfd is gone."""
    try:
        assert select.select([descriptor], [], [], _WAIT)[0], "it lives on"
    finally:
        os.close(descriptor)


def plain(shown: str) -> str:
    """Return text without what steers a terminal."""
    return _STEERING.sub("", shown).replace("\r\n", "\n").replace("\r", "\n")


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
