"""What a model's own files say of it: license, quantization, architecture. Pure."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from modelcar.values import ModelFacts

_FRONT: Final = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
_LICENSE: Final = re.compile(r"^license:[ \t]*(.*(?:\r?\n[ \t]*- .*)*)", re.MULTILINE)
_NAMED: Final = re.compile(r"^license_name:[ \t]*(.*)", re.MULTILINE)
_ITEM: Final = re.compile(r"^[ \t]*- +(.*)", re.MULTILINE)
_LONGEST: Final = 100


def facts(paths: Collection[str], read: Callable[[str], str]) -> ModelFacts:
    """Return what README.md and config.json say, as far as they are among `paths`."""
    card = read("README.md") if "README.md" in paths else ""
    config = _object(read("config.json") if "config.json" in paths else "")
    return ModelFacts(_license(card), _quantization(config), _architecture(config))


def _license(card: str) -> str:
    """Read the front matter by its lines: no YAML library is where the pipeline's stages run."""
    front = _FRONT.match(card)
    found = _LICENSE.search(front[1]) if front else None
    if front is None or found is None:
        return ""
    named = _NAMED.search(front[1])
    if _plain(found[1]) == "other" and named:
        return _plain(named[1])
    return " OR ".join(map(_plain, _ITEM.findall(found[1]))) or _plain(found[1])


def _plain(text: str) -> str:
    text = re.sub(r"(^|\s)#.*", "", text).strip().strip("\"'").strip()
    return text if text.isprintable() and len(text) <= _LONGEST else ""


def _quantization(config: Mapping[str, Any]) -> str:
    nested = _mapping(config.get("text_config")).get("quantization_config")
    found = _mapping(config.get("quantization_config") or nested)
    method, bits = found.get("quant_method"), _bits(found)
    if not isinstance(method, str) or not _plain(method):
        return ""
    return f"{_plain(method)} {bits}-bit" if bits else _plain(method)


def _bits(found: Mapping[str, Any]) -> int:
    groups = _mapping(found.get("config_groups")).values()
    weights = [_mapping(_mapping(group).get("weights")).get("num_bits") for group in groups]
    loaded = [bits for bits in (4, 8) if found.get(f"load_in_{bits}bit") is True]
    for bits in (found.get("bits"), *weights, *loaded):
        if type(bits) is int and 0 < bits < 64:
            return bits
    return 0


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
