"""Measure one process: seconds, CPU, peak memory, bytes read from files and written to disk."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_KEPT: Final = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH")
_LAUNCHER: Final = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True, slots=True)
class Measured:
    """One process and its children; `peak` is the largest resident set of any of them."""

    seconds: float
    cpu: float
    """Seconds of all cores together."""
    peak: int
    read: int
    """Bytes read from files, wherever they were cached; what came over sockets is not in it."""
    written: int
    """Bytes that were to go to a disk, also of files that were removed again."""
    said: str = ""


def measure(
    argv: Sequence[str], home: Path, *, file_limit: int = 0, **environment: str
) -> Measured:
    """Run a process to its end, with `home` as its home, cache and temporary folder.

    It may write no file beyond `file_limit` bytes; 0 stands for any. Raises CalledProcessError.
    """
    os.sync()  # what another run wrote must not be written during this one
    reader, writer = os.pipe()
    launch = [sys.executable, "-I", "-S", str(_LAUNCHER), str(writer), str(file_limit), *argv]
    done = subprocess.run(
        launch,
        env={**surroundings(home), **environment},
        pass_fds=[writer],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as told:
        return _measured(told.read(), argv, done)


def surroundings(home: Path) -> dict[str, str]:
    """Return an environment without the user's settings, credentials and caches.

    Telemetry is off: with it, huggingface_hub asks the Hub at each start who may be calling.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "HF_HOME"), str(home))
    # The sources were compiled before: nobody compiles, or writes, while it is measured.
    return {**kept, **places, "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def _measured(told: str, argv: Sequence[str], done: subprocess.CompletedProcess[str]) -> Measured:
    found: dict[str, Any] = json.loads(told or '{"code": 1}')
    if code := found.pop("code"):
        raise subprocess.CalledProcessError(code, list(argv), done.stdout[-2000:])
    return Measured(said=done.stdout, **found)
