"""What is recorded beside an image's URI, in the forms and lengths that the server takes. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from modelcar.errors import UsageError

NAME: Final = 240
"""Characters of a name: the server keeps 255 with the parent's id before it."""
TEXT: Final = 2500
"""Bytes of a text: PostgreSQL, below some servers, indexes no row above 2,704."""
_MAKING: Final = {
    "commit": "commit",
    "base": "base",
    "rules": "rules",
    "modelcar_version": "version of modelcar",
}
"""The properties that say what an image was made from, and their names for people."""
_VERIFIED: Final = ("verified_digest", "verified_url")
_MADE_WITH: Final = ("rules", "modelcar_version")
"""What is known best when a version is first registered: the image itself does not say it."""
_OF_AN_IMAGE: Final = frozenset(
    {*_MAKING, *_VERIFIED, "verified_at", "license", "mirror", "image_bytes", "image_layers"}
    | {"library", "tasks", "languages", "parameters", "dtypes", "quantization", "architecture"}
)
"""All that we record of one image, none of which holds for another."""
_ELLIPSIS: Final = "\n…"
_HEX: Final = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True, slots=True)
class Record:
    """What a version is to have; empty properties are not recorded, since they would be labels.

    `card` describes a model and a version that have no description yet.
    """

    properties: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    description: str = ""
    card: str = ""

    def texts(self) -> dict[str, str]:
        """Return the properties that have a value, each cut to what the server takes."""
        return {name: cut(text) for name, text in self.properties.items() if text}

    def marks(self) -> dict[str, str]:
        """Return the labels as the dashboard has them: properties without a value."""
        taken = {label for label in self.labels if label and label not in self.properties}
        return {label: "" for label in sorted(taken) if len(label) <= NAME}


def cut(text: str, limit: int = TEXT) -> str:
    """Return `text` in at most `limit` bytes of UTF-8, ended at a line where there is one."""
    data = text.encode("utf-8", "replace")
    if len(data) <= limit:
        return data.decode()
    kept = data[: limit - len(_ELLIPSIS.encode())].decode("utf-8", "ignore")
    head, line, _ = kept.rpartition("\n")
    return (head if line and len(head) > len(kept) // 2 else kept).rstrip() + _ELLIPSIS


def check_names(names: Iterable[str]) -> None:
    """Raise UsageError for a name that the server does not take, or would not find again.

    The published interface (parameter `name`) looks for printable ASCII only.
    """
    for name in names:
        if not (name.isascii() and name.isprintable() and 0 < len(name) <= NAME):
            what = f"name {name[:40]!r} in the Model Registry"
            why = f"it has {len(name)} characters, or some that are not printable ASCII"
            raise UsageError(what, why, f"use 1 to {NAME} printable ASCII characters")


def missing(kept: Mapping[str, str | None], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return which of `wanted` are to be written over what is `kept` of the same image.

    What it was made with stays as it was first recorded, and so does when it answered, while it
    answers at the same place.
    """
    answered = all(wanted.get(name) == kept.get(name) for name in _VERIFIED)
    settled = {name for name in _MADE_WITH if kept.get(name)}
    settled |= {"verified_at"} if answered else set()
    return {n: text for n, text in wanted.items() if kept.get(n) != text and n not in settled}


def stale(kept: Mapping[str, str | None], moved: bool, uri: str) -> set[str]:
    """Return the properties that say something of another image than that of `uri`."""
    if moved:
        return set(_OF_AN_IMAGE & kept.keys())
    return {"previous_uri"} if kept.get("previous_uri") == uri else set()


def difference(kept: Mapping[str, str | None], wanted: Mapping[str, str]) -> str:
    """Say what two images of one version were made from, where that differs."""
    if not any(kept.get(name) for name in _MAKING):
        return "nothing is recorded of what the former was made from"
    found = [
        f"{label} {_short(kept.get(name))} there, {_short(wanted.get(name))} here"
        for name, label in _MAKING.items()
        if kept.get(name) != wanted.get(name)
    ]
    same = "commit, base and rules are the same, so that its files or annotations were changed"
    return "; ".join(found) or same


def _short(value: str | None) -> str:
    if not value:
        return "none"
    plain = value.removeprefix("sha256:")
    return plain[: 12 if _HEX.fullmatch(plain) else 80]
