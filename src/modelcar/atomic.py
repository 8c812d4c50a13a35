"""A file that is replaced whole."""

import os
import shutil
import tempfile
from pathlib import Path


def write(path: Path, text: str) -> None:
    """Write `text` to `path` so that a reader finds the old or the new, never a part.

    A link is followed; an existing file keeps its mode. Raises OSError.
    """
    target = path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    new = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(handle)
        _copy_mode(target, new)
        new.replace(target)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _copy_mode(target: Path, new: Path) -> None:
    if target.exists():
        shutil.copymode(target, new)
    else:
        new.chmod(0o644)  # mkstemp gives 0600, which another pod's user could not read
