"""What a vLLM endpoint answers; anybody may stand where it should, so nothing is believed."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from modelcar import safe_json

MOST: Final = 4_000_000
"""Bytes: an embedding of ten thousand numbers is no longer, nor a list of a hundred models."""
_TEXT: Final = 2000
_TOKENS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream: a token's text, how many tokens there were, or a failure.

    `word` is None for an event without a token; a token without text is one too.
    """

    word: str | None = None
    tokens: int | None = None
    error: str = ""


def models(body: bytes) -> tuple[str, ...]:
    """Return the names in an answer of /v1/models; raise ValueError for none of them."""
    match _parse(body):
        case {"data": [*entries]}:
            named = (entry.get("id") for entry in entries if isinstance(entry, dict))
            return tuple(name for name in named if isinstance(name, str))
    raise ValueError("it lists no models")


def dimensions(body: bytes) -> int:
    """Return the length of the embedding of /v1/embeddings; raise ValueError for none of them."""
    match _parse(body):
        case {"data": [{"embedding": [_, *rest]}, *_]}:
            return 1 + len(rest)
    raise ValueError("it holds no embedding")


def events(blocks: Iterable[bytes]) -> Iterator[Event]:
    """Yield what the server-sent events of a completion or a chat say, as the blocks come.

    Raises ValueError for a stream that is none, or longer than `MOST` bytes.
    """
    for line in _lines(blocks):
        kind, _, data = line.decode().strip().partition(":")
        if kind == "data" and data.strip() != "[DONE]":
            yield _event(_parse(data))


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest, taken = bytearray(), 0
    for block in blocks:
        if (taken := taken + len(block)) > MOST:
            raise ValueError(f"it is longer than {MOST} bytes")
        first, *more = block.split(b"\n")
        rest += first
        for begun in more:
            yield bytes(rest)
            rest = bytearray(begun)
    yield bytes(rest)


def _parse(text: str | bytes) -> Any:
    if len(text) > MOST:
        raise ValueError(f"it is longer than {MOST} bytes")
    try:
        return safe_json.parse(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from error


def _event(told: Any) -> Event:
    match told:
        case {"error": error} if error:
            return Event(error=json.dumps(error)[:_TEXT])
        case {"choices": [choice, *_]}:
            return Event(_word(choice), _tokens(told))
        case dict():
            return Event(None, _tokens(told))
    raise ValueError("an event of its stream is no object")


def _tokens(told: dict[str, Any]) -> int | None:
    match told.get("usage"):
        case {"completion_tokens": int(count)} if 0 <= count <= _TOKENS:
            return count
    return None


def _word(choice: Any) -> str:
    match choice:
        case {"text": str(text)} if text:
            return text[:_TEXT]
        case {"delta": dict(delta)}:
            kinds = (delta.get(key) for key in ("content", "reasoning", "reasoning_content"))
            return next((text[:_TEXT] for text in kinds if text and isinstance(text, str)), "")
    return ""
