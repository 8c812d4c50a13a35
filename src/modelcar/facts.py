"""What a model's own files say of it: its card and its config.json. Pure."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeGuard
from unicodedata import category

from modelcar import safe_json
from modelcar.values import ModelFacts

_FRONT: Final = re.compile(r"\s*---[ \t]*\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_ITEM: Final = re.compile(r"^[ \t]*-[ \t]+(.*)", re.MULTILINE)
_LONGEST: Final = 100
_MOST: Final = 20
_CARD: Final = 6_000
"""Characters of the card's text that are kept: more than a Model Registry is given of it."""
_LONG: Final = 1 << 21
"""Characters of the card that are looked at."""
_READ: Final = ("README.md", "config.json")


def facts(paths: Collection[str], read: Callable[[str], str]) -> ModelFacts:
    """Return what README.md and config.json say, as far as they are among `paths`."""
    card, config = (_text(read, path) if path in paths else "" for path in _READ)
    found, (front, text) = _object(config), _parts(card[:_LONG])
    return ModelFacts(
        license=_license(front),
        quantization=_quantization(found),
        architecture=_architecture(found),
        library=next(iter(_values(front, "library_name")), ""),
        tasks=_listed(front, "pipeline_tag"),
        languages=_listed(front, "language"),
        tags=_listed(front, "tags"),
        card=text[:_CARD],
    )


def _text(read: Callable[[str], str], path: str) -> str:
    try:
        return read(path)
    except UnicodeDecodeError:
        return ""


def _parts(card: str) -> tuple[str, str]:
    """Return the front matter, nothing without one, and the text, which databases must take."""
    card = card.removeprefix("\ufeff").replace("\r\n", "\n")
    front = _FRONT.match(card)
    text = card[front.end() :] if front else card
    kept = "".join(char for char in text if char in "\n\t" or category(char) != "Cc")
    return front[1] if front else "", kept.strip()


def _license(front: str) -> str:
    """Return the licenses joined as a choice: the Hub does not say how several go together."""
    named = _values(front, "license_name")
    found = (named[0] if text == "other" and named else text for text in _values(front, "license"))
    return _plain(" OR ".join(found))


def _listed(front: str, key: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_values(front, key)))[:_MOST]


def _values(front: str, key: str) -> list[str]:
    """Return what stands at a key of the top level: one text, or a list in brackets or by lines.

    It is read by its lines: no YAML library is where the pipeline's stages run.
    """
    found = re.search(rf"^{key}:(?=\s)(.*)((?:\n(?:[ \t#-].*)?)*)", front, re.MULTILINE)
    if found is None:
        return []
    beside = found[1].strip()
    flow = beside[1:].partition("]")[0].split(",") if beside.startswith("[") else [beside]
    return [text for item in (*flow, *_ITEM.findall(found[2])) if (text := _scalar(item.strip()))]


def _scalar(text: str) -> str:
    """Return a text without its quotes or comment; nothing for YAML's null and rarer forms."""
    if text[:1] in ("'", '"'):
        inner, closing, _ = text[1:].partition(text[0])
        return _plain(inner) if closing else ""
    text = re.sub(r"(^|\s)#.*", "", text)
    return _plain(text) if text[:1].isalnum() and text.lower() != "null" else ""


def _plain(text: str) -> str:
    text = text.strip()
    return text if text.isprintable() and len(text) <= _LONGEST else ""


def _quantization(config: Mapping[str, Any]) -> str:
    nested = _mapping(config.get("text_config")).get("quantization_config")
    found = _mapping(config.get("quantization_config") or nested)
    method, bits = found.get("quant_method"), _bits(found)
    told = _plain(method) if isinstance(method, str) else ""
    return _plain(f"{told} {bits}-bit") if told and bits else told


def _bits(found: Mapping[str, Any]) -> int:
    """Return the bits of a weight; 0 where none are told, or several."""
    groups = _mapping(found.get("config_groups")).values()
    weights = [_mapping(_mapping(group).get("weights")).get("num_bits") for group in groups]
    loaded = [bits for bits in (4, 8) if found.get(f"load_in_{bits}bit") is True]
    told = {bits for bits in (found.get("bits"), *weights, *loaded) if _is_width(bits)}
    return told.pop() if len(told) == 1 else 0


def _is_width(bits: Any) -> TypeGuard[int]:
    return type(bits) is int and 0 < bits < 64


def _architecture(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    first = names[0] if isinstance(names, list) and names else None
    return _plain(first) if isinstance(first, str) else ""


def _object(text: str) -> Mapping[str, Any]:
    try:
        return _mapping(safe_json.parse(text))
    except ValueError:
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
