"""A local folder as a model's source."""

import os
from collections.abc import Iterator
from pathlib import Path

from modelcar.errors import SourceError
from modelcar.listing import LARGE
from modelcar.stamps import CheckedFiles
from modelcar.values import SourceFile


def listing(folder: Path, known: CheckedFiles) -> tuple[SourceFile, ...]:
    """List the files below `folder`, sorted; sha256 where it is known without reading.

    Symbolic links are followed to files (as the Hub's own cache lays its snapshots) but not to
    folders. Raises SourceError when it is no folder.
    """
    if not folder.is_dir():
        remedy = "name an existing folder as file:///absolute/path"
        raise SourceError(f"model folder {folder}", "there is no such folder", remedy)
    return tuple(_entry(folder, path, known) for path in sorted(_files(folder)))


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, onerror=_refuse):
        yield from (Path(parent, name) for name in names)


def _refuse(error: OSError) -> None:
    # os.walk would leave such a folder out without a word.
    what, why = f"model folder {error.filename}", error.strerror or str(error)
    raise SourceError(what, why, "give the right to read it") from error


def _entry(folder: Path, path: Path, known: CheckedFiles) -> SourceFile:
    if not path.is_file():
        why = "it is a broken link or no regular file"
        raise SourceError(f"{path}", why, "remove it or mend the link")
    name = path.relative_to(folder).as_posix()
    sums = known.get(path)
    return SourceFile(name, path.stat().st_size, sums.sha256 if sums else None)


def read(folder: Path, name: str) -> str:
    """Return the text of a small file of the folder; raise SourceError when it is not readable."""
    try:
        with (folder / name).open("rb") as stream:
            content = stream.read(LARGE + 1)
    except OSError as error:
        why, remedy = error.strerror or str(error), "give the right to read it"
        raise SourceError(f"model file {folder / name}", why, remedy) from error
    if len(content) > LARGE:
        why = f"it has more than {LARGE >> 20} MiB, and is read to choose the files"
        raise SourceError(f"model file {folder / name}", why, "leave it out with --exclude")
    return content.decode("utf-8")
