"""One repository of the Hub: its files as git and LFS name them, and its commits."""

import functools
import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.loopback import Bytes, Content, File

RepositorySource = Path | Mapping[str, int | bytes]
"""A folder; or paths and their bytes, or for a file that is only listed, its size."""

_LFS_SIZE = 10_000_000
_LFS_SUFFIXES = frozenset(
    (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".h5", ".msgpack", ".pkl")
)
_LFS_NAMES = ("tokenizer.json", "tekken.json")
_LONGEST_CARD = 1 << 20
_FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\r?\n---", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Zeros:
    """The content of a file that is only listed."""

    size: int

    def blocks(self, start: int, stop: int) -> Iterator[bytes]:
        for at in range(start, stop, 1 << 20):
            yield bytes(min(1 << 20, stop - at))


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file at a commit; `blob_id` is git's, of the pointer when the file is in LFS."""

    path: str
    content: Content
    blob_id: str
    sha256: str | None = None

    @property
    def etag(self) -> str:
        return self.sha256 or self.blob_id

    @property
    def pointer_size(self) -> int:
        return len(_pointer(self.sha256, self.content.size)) if self.sha256 else 0


@dataclass(frozen=True, slots=True)
class Commit:
    """Files by path, the front matter of the README, and a sha that follows from the files."""

    sha: str
    files: Mapping[str, HubFile]
    card: Mapping[str, Any]


class Repository:
    """A repository with the branch `main` and, by name or commit, further revisions."""

    def __init__(self, source: RepositorySource, revisions: Mapping[str, RepositorySource]) -> None:
        self._sources = {"main": source, **revisions}

    def at(self, revision: str) -> Commit:
        """Return the commit that a name or a sha stands for; raise KeyError."""
        if revision in self._sources:
            return self._commit(revision)
        commits = (self._commit(name) for name in self._sources)
        found = next((commit for commit in commits if commit.sha == revision), None)
        if found is None:
            raise KeyError(revision)
        return found

    def refs(self) -> dict[str, Any]:
        """List the branch and, as tags, the other named revisions."""
        names = [name for name in self._sources if name != "main" and not _is_sha(name)]
        tags = [_ref("tags", name, self._commit(name).sha) for name in names]
        main = _ref("heads", "main", self._commit("main").sha)
        return {"branches": [main], "tags": tags, "converts": []}

    def _commit(self, name: str) -> Commit:
        files = {file.path: file for file in _files(self._sources[name])}
        state = "".join(f"{path}\0{file.blob_id}\n" for path, file in files.items())
        sha = name if _is_sha(name) else hashlib.sha1(state.encode()).hexdigest()
        return Commit(sha, files, _front_matter(files.get("README.md")))


def _is_sha(text: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}", text) is not None


def _ref(kind: str, name: str, sha: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": sha}


def _files(source: RepositorySource) -> list[HubFile]:
    if isinstance(source, Path):
        return [_from_disk(source, path) for path in sorted(_walk(source))]
    return [_from_listing(path, source[path]) for path in sorted(source)]


def _walk(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        relative = path.relative_to(folder)
        if path.is_file() and relative.parts[0] not in (".git", ".cache"):
            yield relative.as_posix()


def _from_disk(folder: Path, path: str) -> HubFile:
    place = (folder / path).resolve()
    stat = place.stat()
    blob_id, sha256 = _hashes(place, stat.st_size, stat.st_mtime_ns, _in_lfs(path, stat.st_size))
    return HubFile(path, File(place), blob_id, sha256)


def _from_listing(path: str, entry: int | bytes) -> HubFile:
    if isinstance(entry, int):
        # Nobody hashes gigabytes of zeros: a listed file has some sha256, not that of its bytes.
        sha256 = hashlib.sha256(f"{path} {entry}".encode()).hexdigest()
        return HubFile(path, Zeros(entry), _blob_id(Bytes(_pointer(sha256, entry))), sha256)
    content = Bytes(entry)
    blob_id, sha = _named(content, _in_lfs(path, len(entry)))
    return HubFile(path, content, blob_id, sha)


def _in_lfs(path: str, size: int) -> bool:
    place = Path(path)
    return size >= _LFS_SIZE or place.suffix in _LFS_SUFFIXES or place.name in _LFS_NAMES


@functools.lru_cache(maxsize=4096)
def _hashes(path: Path, size: int, mtime_ns: int, lfs: bool) -> tuple[str, str | None]:
    return _named(File(path), lfs)  # size and mtime_ns are there for the cache


def _named(content: Content, lfs: bool) -> tuple[str, str | None]:
    if not lfs:
        return _blob_id(content), None
    digest = hashlib.sha256()
    for block in content.blocks(0, content.size):
        digest.update(block)
    sha256 = digest.hexdigest()
    return _blob_id(Bytes(_pointer(sha256, content.size))), sha256


def _blob_id(content: Content) -> str:
    digest = hashlib.sha1(b"blob %d\0" % content.size)
    for block in content.blocks(0, content.size):
        digest.update(block)
    return digest.hexdigest()


def _pointer(sha256: str, size: int) -> bytes:
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
    return text.encode()


def _front_matter(readme: HubFile | None) -> Mapping[str, Any]:
    if readme is None:
        return {}
    read = readme.content.blocks(0, min(readme.content.size, _LONGEST_CARD))
    match = _FRONT_MATTER.match(b"".join(read).decode(errors="replace"))
    return _yaml(match[1]) if match else {}


@functools.lru_cache(maxsize=64)
def _yaml(text: str) -> Mapping[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with suppress(YAMLError):  # what is no YAML says nothing of the model
        loaded = YAML(typ="safe", pure=True).load(text)
        return loaded if isinstance(loaded, dict) else {}
    return {}
