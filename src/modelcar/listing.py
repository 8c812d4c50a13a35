"""A source's listing: which paths may become files of an image, and its small JSON files."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from posixpath import dirname
from typing import Any, Self

from modelcar import safe_json
from modelcar.errors import SelectionError
from modelcar.values import SourceFile

LARGE = 64 * 1024 * 1024
"""Bytes from which a file is a layer of its own, and above which no JSON file is read."""

_CONTROL = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_FOLDERS = 100
_LONGEST, _DEEPEST = 1024, 64
"""Of a path: Linux takes 4096 bytes, of which those of the folder above must be part."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of the repository `name`, sorted by path; `read` returns the text of one."""

    name: str
    files: Mapping[str, SourceFile]
    read: Callable[[str], str]
    folders: Mapping[str, Sequence[str]]
    """The paths that lie directly in each folder."""

    @classmethod
    def of(cls, name: str, files: Sequence[SourceFile], read: Callable[[str], str]) -> Self:
        """Make a listing; raise SelectionError for an unsafe path, or when there is no file."""
        refuse_unsafe(name, [file.path for file in files])
        ordered = sorted(files, key=lambda file: file.path)
        folders: dict[str, list[str]] = {}
        for file in ordered:
            folders.setdefault(dirname(file.path), []).append(file.path)
        listing = cls(name, {file.path: file for file in ordered}, read, folders)
        if not files:
            raise listing.refusal("the repository is empty", "check its name and revision")
        return listing

    def in_folder(self, folder: str) -> Sequence[str]:
        """Return the paths that lie directly in `folder`."""
        return self.folders.get(folder, ())

    def json(self, path: str) -> Any:
        """Parse a JSON file; raise SelectionError above 64 MiB or when it does not parse."""
        if self.files[path].size > LARGE:
            why = f"{path} is larger than {LARGE >> 20} MiB"
            raise self.refusal(why, "leave it out with --exclude")
        try:
            return safe_json.parse(self.read(path))
        except ValueError as error:
            raise self.refusal(f"{path} is no JSON ({error})", "pin another revision") from error

    def hold_few(self, folders: Collection[str], what: str) -> None:
        """Raise SelectionError where there are so many folders that files are read in.

        Each may take a request or several.
        """
        if len(folders) > _FOLDERS:
            remedy = "leave folders out with --exclude 'FOLDER/*'"
            raise self.refusal(f"{what} in {len(folders)} folders", remedy)

    def refusal(self, why: str, remedy: str) -> SelectionError:
        """Return the error that says why no choice can be made."""
        return SelectionError(f"choosing the files of {self.name}", why, remedy)


def refuse_unsafe(name: str, paths: Sequence[str]) -> None:
    """Raise SelectionError for the first path, in sorted order, that must not be unpacked.

    One such path condemns the whole listing of `name`: leaving it out would hide an attack.
    Names that differ by case alone are two files, as they are on Linux.
    """
    ordered = sorted(paths, key=lambda path: path.split("/"))
    for path in ordered:
        if why := path_fault(path):
            raise _unsafe(name, path, why)
    for path, following in pairwise(ordered):
        if path == following:
            raise _unsafe(name, path, "it is listed twice")
        if following.startswith(f"{path}/"):
            raise _unsafe(name, path, f"it is a file and the folder of {following!r}")


def path_fault(path: str) -> str | None:
    """Return why `path` must not be unpacked below a folder, None when it may."""
    if path.startswith("/"):
        return "it is absolute"
    if _CONTROL.search(path):
        return "it has a backslash or a control character"
    if len(path) > _LONGEST or path.count("/") > _DEEPEST:
        return f"it is longer than {_LONGEST} letters, or lies below {_DEEPEST} folders"
    return next((why for part in path.split("/") if (why := _part_fault(part))), None)


@lru_cache(1 << 12)
def _part_fault(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "it has an empty part, '.' or '..'"
    if part.casefold() == ".git":
        return "it lies in a .git folder"
    if part.startswith(".wh."):
        return "an image layer reads .wh. as the deletion of a file"
    if _SURROGATE.search(part):
        return "it is not UTF-8"
    # The longest name that Linux file systems hold.
    return "a part is longer than 255 bytes" if len(part.encode()) > 255 else None


def _unsafe(name: str, path: str, why: str) -> SelectionError:
    remedy = "do not use this repository, or rename the file in it"
    shown = path if len(path) <= 300 else f"{path[:300]}…"
    return SelectionError(f"the listing of {name} has an unsafe path {shown!r}", why, remedy)
