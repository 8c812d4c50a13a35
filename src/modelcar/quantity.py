"""Kubernetes quantities, as its documentation ("Resource units in Kubernetes") writes them."""

import re
from decimal import Decimal

_NUMBER = "([0-9]{1,18}(?:[.][0-9]{1,9})?)"
PATTERN = _NUMBER + "([KMGTPE]i|[numkMGTPE]|[eE][0-9]{1,2})?"
_MEANT = re.compile(rf"\s*{_NUMBER}\s*([kmgtpe])i?b?(?:ytes?)?\s*", re.IGNORECASE)
_SMALL = {"n": -9, "u": -6, "m": -3}
_POWERS = "kMGTPE"


def parse(text: str) -> Decimal | None:
    """Return the number that `text` stands for, or None where it is no quantity."""
    match = re.fullmatch(PATTERN, text)
    if match is None:
        return None
    number, suffix = Decimal(match[1]), match[2] or ""
    if suffix.endswith("i"):
        return number * Decimal(1024) ** (_POWERS.upper().index(suffix[0]) + 1)
    if suffix in _SMALL:
        return number.scaleb(_SMALL[suffix])
    if suffix[:1] in ("e", "E") and suffix[1:]:
        return number.scaleb(int(suffix[1:]))
    return number.scaleb(3 * (_POWERS.index(suffix) + 1)) if suffix else number


def meant(text: str) -> str | None:
    """Guess the quantity of bytes behind an almost right text: `48GB` means `48Gi`."""
    match = _MEANT.fullmatch(text)
    return f"{match[1]}{match[2].upper()}i" if match else None
