"""Whether the work folder's disk has room for what is still to be downloaded."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from modelcar.errors import SourceError
from modelcar.values import SourceFile
from modelcar.wording import size
from modelcar.workfolder import WorkFolder


def require(work: WorkFolder, missing: int, files: Iterable[SourceFile]) -> None:
    """Raise SourceError where fewer bytes are free than are `missing` of `files`.

    What a killed run left of a file counts as there.
    """
    needed = missing - sum(_held(work.partial(file)) for file in files)
    free = shutil.disk_usage(_standing(work.root)).free
    if needed > free:
        why = f"{size(needed)} are still to be downloaded, and {size(free)} are free"
        remedy = "free space there, take a larger volume claim, or run modelcar-overlapped"
        raise SourceError(f"work folder {work.root}", why, remedy)


def _held(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _standing(path: Path) -> Path:
    """Return the path, or the nearest folder above that exists."""
    return next(one for one in (path, *path.parents) if one.exists())
