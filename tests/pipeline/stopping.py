"""Ends a run as KFP's "Terminate" does."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Stop:
    """Called from another thread, it ends the running task, and no later one starts.

    Argo runs the exit task of a run that was stopped, or does not, as its releases differ:
    `reports` says which. A task has `grace` seconds between SIGTERM and SIGKILL.
    """

    def __init__(self, *, reports: bool = False, grace: float = 20.0) -> None:
        self.reports = reports
        self._grace = grace
        self._asked = False
        self._lock = threading.Lock()
        self._running: tuple[subprocess.Popen[str], threading.Event] | None = None

    def __call__(self) -> None:
        with self._lock:
            self._asked, running = True, self._running
        if running:
            process, ended = running
            _signal(process, signal.SIGTERM)
            if not ended.wait(self._grace):
                _signal(process, signal.SIGKILL)

    def __bool__(self) -> bool:
        """Return whether the run was stopped."""
        return self._asked

    @contextmanager
    def watching(self, process: subprocess.Popen[str]) -> Iterator[None]:
        """Have it be this process that is ended; it leads a process group."""
        ended = threading.Event()
        with self._lock:
            self._running = process, ended
        try:
            yield
        finally:
            with self._lock:
                self._running = None
            ended.set()


def _signal(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # it ended at this moment
        os.killpg(process.pid, number)
