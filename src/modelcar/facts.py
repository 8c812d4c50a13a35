"""What a model's own files say of it: license, quantization, architecture. Pure."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeGuard

from modelcar.values import ModelFacts

_FRONT: Final = re.compile(r"\s*---[ \t]*\n(.*?)^---[ \t]*$", re.DOTALL | re.MULTILINE)
_ITEM: Final = re.compile(r"^[ \t]*-[ \t]+(.*)", re.MULTILINE)
_LONGEST: Final = 100
_READ: Final = ("README.md", "config.json")


def facts(paths: Collection[str], read: Callable[[str], str]) -> ModelFacts:
    """Return what README.md and config.json say, as far as they are among `paths`."""
    card, config = (_text(read, path) if path in paths else "" for path in _READ)
    found = _object(config)
    return ModelFacts(_license(card), _quantization(found), _architecture(found))


def _text(read: Callable[[str], str], path: str) -> str:
    try:
        return read(path)
    except UnicodeDecodeError:
        return ""


def _license(card: str) -> str:
    """Read the front matter by its lines: no YAML library is where the pipeline's stages run.

    Several licenses are joined as a choice: the Hub does not say how they go together.
    """
    front = _FRONT.match(card.removeprefix("\ufeff").replace("\r\n", "\n"))
    if front is None:
        return ""
    named = _values(front[1], "license_name")
    found = (
        named[0] if text == "other" and named else text for text in _values(front[1], "license")
    )
    return _plain(" OR ".join(found))


def _values(front: str, key: str) -> list[str]:
    """Return what stands at a key of the top level: one text, or a list in brackets or by lines."""
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
        return _mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
