"""A model layer as a recipe: an uncompressed GNU tar that streams, the same bytes on any machine.

Uncompressed, since weights do not compress and a layer's digest is then its diff_id. GNU format,
since scanners reject PAX headers of files above 8 GiB. No clock, owner or umask enters.
"""

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Final

from modelcar.values import Digest, SourceFile

ROOT: Final = PurePosixPath("models")
"""KServe looks for the model below /models."""
RULES: Final = 1
"""The version of the rules by which files become bytes of a layer; part of each layer's key."""
_BLOCK: Final = 512
Read = Callable[[SourceFile, int], Iterable[bytes]]
"""Gives a file's bytes from an offset on."""


def key(files: Sequence[SourceFile]) -> Digest | None:
    """Return what the layer's bytes follow from, None while a checksum is not known.

    Two layers of one key have one digest, so that a layer can be recognised without reading it.
    """
    if any(file.checksum is None for file in files):
        return None
    rows = [[file.path, file.size, file.checksum] for file in files]
    text = json.dumps([RULES, str(ROOT), rows], separators=(",", ":"), ensure_ascii=False)
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def size(files: Sequence[SourceFile]) -> int:
    """Return the tar's size in bytes."""
    headers = sum(_length(f"{path}/") for path in _folders(files))
    heads = sum(_length(f"{ROOT}/{file.path}") for file in files)
    bodies = sum(file.size + _padding(file.size) for file in files)
    return headers + heads + bodies + 2 * _BLOCK


def stream(files: Sequence[SourceFile], read: Read, start: int = 0) -> Iterator[bytes]:
    """Yield the tar's bytes from the offset `start` on; files that end by then are not read."""
    for piece in pieces(files):
        length = len(piece) if isinstance(piece, bytes) else piece.size
        if not start or start < length:
            yield from [piece[start:]] if isinstance(piece, bytes) else read(piece, start)
        start = max(0, start - length)


def pieces(files: Sequence[SourceFile]) -> Iterator[bytes | SourceFile]:
    """Yield the tar in order: the folders, the files, two empty blocks; a file is its body."""
    for path in _folders(files):
        yield _folder(path)
    for file in files:
        yield _header(file)
        yield file
        yield bytes(_padding(file.size))
    yield bytes(2 * _BLOCK)


def _folders(files: Sequence[SourceFile]) -> list[str]:
    found = {str(ROOT)}
    for file in files:
        folder = f"{ROOT}/{file.path}".rpartition("/")[0]
        while folder not in found:  # those above one that is there are there too
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(found, key=lambda path: path.split("/"))


def _folder(path: str) -> bytes:
    info = tarfile.TarInfo(f"{path}/")
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    return _bytes(info)


def _header(file: SourceFile) -> bytes:
    info = tarfile.TarInfo(f"{ROOT}/{file.path}")
    info.size, info.mode = file.size, 0o644
    return _bytes(info)


def _length(name: str) -> int:
    """Return the bytes of a header, which a long name has a file of its own before."""
    count = len(name.encode())
    if count <= tarfile.LENGTH_NAME:
        return _BLOCK
    return 2 * _BLOCK + count + 1 + _padding(count + 1)


def _bytes(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "strict")


def _padding(length: int) -> int:
    return -length % _BLOCK
