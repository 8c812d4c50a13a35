"""Which images of a repository to keep and which to delete. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from modelcar.mentions import Mention
from modelcar.oci.reference import Repository
from modelcar.values import Digest

_NUMBER: Final = re.compile("[0-9]{1,18}")
_PARTS: Final = re.compile(r"[0-9]+|[^0-9]+")
_VERSION: Final = re.compile(r"v?[0-9]")

_Version = tuple[bool, tuple[tuple[bool, int, str], ...]]
_Age = tuple[bool, bool, float, _Version]


@dataclass(frozen=True, slots=True)
class FoundImage:
    """One image, or index of images, that a repository holds."""

    digest: Digest
    tags: tuple[str, ...] = ()
    ours: bool = True
    """Whether modelcar made it; of an index, whether all that it names could be read."""
    children: tuple[Digest, ...] = ()
    """What an index names, whether or not it is there."""
    pushed: float | None = None
    """Seconds since the epoch, where the push is on record."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of an image, and why."""

    image: FoundImage
    keep: bool
    why: str


@dataclass(frozen=True, slots=True)
class Retention:
    """What is to become of a repository's images, the newest first, parts after their index."""

    repository: Repository
    verdicts: tuple[Verdict, ...]
    deleted: tuple[FoundImage, ...]
    """In the order to delete them: each index before what it names."""


def plan(
    repository: Repository, images: Sequence[FoundImage], mentions: Sequence[Mention], keep: int
) -> Retention:
    """Keep the `keep` newest images, all that someone names, and what is not ours.

    An index counts as one image with all its parts; of these is deleted only what nothing kept
    refers to. An index that holds a named image stays too: some OCI registries collect what no
    tag leads to.
    """
    shelf = _Shelf({image.digest: image for image in images})
    named = {image.digest: who for image in images if (who := _who(image, repository, mentions))}
    kept = shelf.with_parts(_reasons(shelf, named, keep))
    verdicts = tuple(shelf.verdict(digest, kept, keep) for digest in shelf.order())
    # Whatever lies above another has more below it.
    going = sorted(
        (v.image for v in verdicts if not v.keep), key=lambda i: -len(shelf.below[i.digest])
    )
    return Retention(repository, verdicts, tuple(going))


def version_key(tag: str) -> _Version:
    """Return what orders tags as versions: `1.10` after `1.9`, and `latest` before both."""
    parts = _PARTS.findall(tag.removeprefix("v"))
    numbers = ((True, int(x), "") if _NUMBER.fullmatch(x) else (False, 0, x) for x in parts)
    return _VERSION.match(tag) is not None, tuple(numbers)


def _reasons(
    shelf: "_Shelf", named: Mapping[Digest, str], keep: int
) -> Iterator[tuple[Digest, str]]:
    """Yield what to keep and why, the best reason first."""
    for digest, who in named.items():
        yield digest, f"named by {who}"
    for digest, parts in shelf.below.items():
        for part in sorted(parts & named.keys()):
            yield digest, f"holds {part.short}, named by {named[part]}"
    for digest in [top for top in shelf.tops if shelf.is_ours(top)][:keep]:
        yield digest, f"among the {keep} newest"
    for digest in shelf.held:
        if not shelf.is_ours(digest):
            yield digest, "not made by modelcar"


def _who(image: FoundImage, where: Repository, mentions: Sequence[Mention]) -> str:
    return next((who.by for who in mentions if who.names(where, image.digest, image.tags)), "")


class _Shelf:
    """What a repository holds: `below` each index all that it leads to, `tops` the newest first."""

    def __init__(self, held: Mapping[Digest, FoundImage]) -> None:
        self.held = held
        self.below = {digest: self._descendants(digest) for digest in held}
        parts = frozenset[Digest]().union(*self.below.values())
        self.tops = sorted((d for d in held if d not in parts), key=self._age, reverse=True)

    def order(self) -> list[Digest]:
        """Return all digests, what an index names behind it."""
        each = (digest for top in self.tops for digest in (top, *sorted(self.below[top])))
        return list(dict.fromkeys(each))

    def is_ours(self, digest: Digest) -> bool:
        """Return whether modelcar made the image, or all of the index that is here."""
        image = self.held[digest]
        if not image.children:
            return image.ours
        parts = self._parts(digest)
        return image.ours and bool(parts) and all(map(self.is_ours, parts))

    def with_parts(self, reasons: Iterable[tuple[Digest, str]]) -> dict[Digest, str]:
        """Return the first reason for each image, and for what a kept index names that it does."""
        kept: dict[Digest, str] = {}
        for digest, why in reasons:
            kept.setdefault(digest, why)
        for digest in list(kept):
            for part in self.below[digest]:
                kept.setdefault(part, f"part of {digest.short}")
        return kept

    def verdict(self, digest: Digest, kept: Mapping[Digest, str], keep: int) -> Verdict:
        """Return what is to become of an image: it stays for one of the reasons `kept`."""
        image = self.held[digest]
        if digest in kept:
            return Verdict(image, True, kept[digest])
        index = next(top for top in self.tops if digest == top or digest in self.below[top])
        part = f"part of {index.short}, which is " if index != digest else ""
        return Verdict(image, False, f"{part}older than the {keep} newest")

    def _parts(self, digest: Digest) -> list[Digest]:
        return [part for part in self.held[digest].children if part in self.held]

    def _descendants(self, digest: Digest) -> frozenset[Digest]:
        parts = self._parts(digest)
        return frozenset(parts).union(*map(self._descendants, parts))

    def _age(self, digest: Digest) -> tuple[_Age, Digest]:
        return max(_age(self.held[item]) for item in (digest, *self.below[digest])), digest


def _age(image: FoundImage) -> _Age:
    """Return what is the greater the newer an image is.

    A tagged one is newer than one whose tag has moved on, a push on record newer than none.
    """
    best = max(map(version_key, image.tags), default=(False, ()))
    return bool(image.tags), image.pushed is not None, image.pushed or 0.0, best
