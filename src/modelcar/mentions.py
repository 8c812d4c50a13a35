"""Who names which images: the digests and tags that stand in what a server holds."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from modelcar.errors import ReferenceError_
from modelcar.oci.reference import Reference, Repository, TagReference, parse
from modelcar.values import Digest

# However a digest is written, `sha256:…`, `sha256%3A…` or bare: one too many only keeps an image.
_HEX: Final = re.compile(r"(?:(?<=%3a)|(?<![0-9a-f]))[0-9a-f]{64}(?![0-9a-f])", re.IGNORECASE)
_SCHEME: Final = re.compile(r"^(?:oci|docker)://")


@dataclass(frozen=True, slots=True)
class Mention:
    """The images that one object names; `by` says for people which object."""

    by: str
    digests: frozenset[Digest]
    tags: frozenset[TagReference] = frozenset()

    def names(self, repository: Repository, digest: Digest, tags: Collection[str]) -> bool:
        """Return whether it names the image of `digest`, which bears `tags` in `repository`.

        A tag counts whatever the host: a service and a route may lead to one OCI registry.
        """
        return digest in self.digests or any(
            named.tag in tags
            and isinstance(named.location, Repository)
            and named.location.path == repository.path
            for named in self.tags
        )


def find(by: str, value: Any) -> Mention:
    """Return what any text in `value`, a JSON value, names."""
    texts = list(_texts(value))
    digests = (Digest(match.lower()) for text in texts for match in _HEX.findall(text))
    references = (_reference(text) for text in texts)
    tags = (found for found in references if isinstance(found, TagReference))
    return Mention(by, frozenset(digests), frozenset(tags))


def _texts(value: Any) -> Iterator[str]:
    left = [value]  # no recursion: it may be nested as deeply as a parser takes
    while left:
        item = left.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            left += item.values()
        elif isinstance(item, list | tuple):
            left += item


def _reference(text: str) -> Reference | None:
    try:
        return parse(_SCHEME.sub("", text))
    except ReferenceError_:
        return None  # most texts are none
