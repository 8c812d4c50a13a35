"""Commands kept as the restricted policy of OpenShift keeps a pod's, and a network of loopback."""

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UID: Final = 1_000_650_000
"""As OpenShift gives one to a namespace; no account has it."""
_UNSHARE: Final = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
_SCRIPT: Final = str(Path(__file__).with_suffix(".sh"))
_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET
_SET_FLAGS, _UP = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP


@dataclass(frozen=True, slots=True)
class Cage:
    """What a command finds: `shown` read-only, `volume` and `more` writable, each where it lies.

    `root` is an empty folder. The command has the variables of `environment` and no other.
    """

    root: Path
    volume: Path
    shown: Sequence[Path]
    environment: Mapping[str, str]
    more: Sequence[Path] = ()

    def command(self, argv: Sequence[str]) -> list[str]:
        """Return what runs `argv` in here; root runs it."""
        shown, volumes = (":".join(map(str, p)) for p in (self.shown, (self.volume, *self.more)))
        places = (str(self.root), str(UID), volumes, shown)
        return [*_UNSHARE, "sh", _SCRIPT, *places, *argv]

    def run(self, *argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **variables}
        return subprocess.run(self.command(argv), env=environment, capture_output=True, text=True)


def refusal() -> str:
    """Return why this machine allows no cage, nothing where it does."""
    if os.geteuid() != 0 or not (shutil.which("unshare") and shutil.which("setpriv")):
        return "only root can do it, with unshare and setpriv of util-linux"
    tried = subprocess.run([*_UNSHARE, "--net", "true"], capture_output=True, text=True)
    return tried.stderr.strip()


@contextmanager
def loopback_only() -> Iterator[None]:
    """Move this thread, and what it starts meanwhile, to a network that has only loopback."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as before:
        _check(libc.unshare(_NEW_NETWORK))
        try:
            with socket.socket() as any_socket:
                fcntl.ioctl(any_socket, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))
            yield
        finally:
            _check(libc.setns(before.fileno(), _NEW_NETWORK))


def _check(result: int) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
