"""A source's listing: which paths may become files of an image, and its small JSON files."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from posixpath import dirname
from typing import Any, Self

from modelcar.errors import SelectionError
from modelcar.values import SourceFile

LARGE = 64 * 1024 * 1024
"""Bytes from which a file is a layer of its own, and above which no JSON file is read."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of the repository `name`, sorted by path; `read` returns the text of one."""

    name: str
    files: Mapping[str, SourceFile]
    read: Callable[[str], str]

    @classmethod
    def of(cls, name: str, files: Sequence[SourceFile], read: Callable[[str], str]) -> Self:
        """Make a listing; raise SelectionError for an unsafe path, or when there is no file."""
        refuse_unsafe(name, [file.path for file in files])
        ordered = sorted(files, key=lambda file: file.path)
        listing = cls(name, {file.path: file for file in ordered}, read)
        if not files:
            raise listing.refusal("the repository is empty", "check its name and revision")
        return listing

    def in_folder(self, folder: str) -> list[str]:
        """Return the paths that lie directly in `folder`."""
        return [path for path in self.files if dirname(path) == folder]

    def json(self, path: str) -> Any:
        """Parse a JSON file; raise SelectionError above 64 MiB or when it does not parse."""
        if self.files[path].size > LARGE:
            raise self.refusal(f"{path} is larger than {LARGE} bytes", "check the repository")
        try:
            return json.loads(self.read(path))
        except (ValueError, RecursionError) as error:
            raise self.refusal(f"{path} is no JSON ({error})", "pin another revision") from error

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
    if "\\" in path or any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in path):
        return "it has a backslash or a control character"
    return next((why for part in path.split("/") if (why := _part_fault(part))), None)


def _part_fault(part: str) -> str | None:
    if part in ("", ".", ".."):
        return "it has an empty part, '.' or '..'"
    if part.casefold() == ".git":
        return "it lies in a .git folder"
    if part.startswith(".wh."):
        return "an image layer reads .wh. as the deletion of a file"
    if any(0xD800 <= ord(char) < 0xE000 for char in part):
        return "it is not UTF-8"
    # The longest name that Linux file systems hold.
    return "a part is longer than 255 bytes" if len(part.encode()) > 255 else None


def _unsafe(name: str, path: str, why: str) -> SelectionError:
    remedy = "do not use this repository, or rename the file in it"
    return SelectionError(f"the listing of {name} has an unsafe path {path!r}", why, remedy)
