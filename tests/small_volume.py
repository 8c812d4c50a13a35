"""A volume with little room."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NEW_MOUNTS: Final = 0x00020000  # CLONE_NEWNS


@dataclass(frozen=True, slots=True)
class SmallVolume:
    """A file system of its own at `folder`, which root may grow."""

    folder: Path

    def resize(self, size: int) -> None:
        self.remount(f"size={size}")

    def remount(self, option: str) -> None:
        """Change an option of the mount, such as `ro`."""
        _mount("-o", f"remount,{option}", str(self.folder))

    def fill(self) -> Path:
        """Take all the room that is left, and return the file that does."""
        path = self.folder / "filler"
        with path.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, shutil.disk_usage(self.folder).free)
        return path


@contextmanager
def small_volume(folder: Path, size: int) -> Iterator[SmallVolume]:
    """Mount one of so many bytes over `folder`, for what this thread starts and nobody else.

    The thread keeps to mounts of its own from then on, which end with its process. Only root can.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    _mount("--make-rprivate", "/")
    _mount("-t", "tmpfs", "-o", f"size={size},mode=0775", "volume", str(folder))
    try:
        yield SmallVolume(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def _mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True)
