"""Cron expressions: five fields as crontab has them, six as a pipelines server wants them. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from modelcar.errors import UsageError


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    words: Mapping[str, int] = field(default_factory=dict)

    def fault(self, text: str) -> str:
        """Return what is wrong with the field, nothing for a good one."""
        for part in text.lower().split(","):
            span, slash, step = part.partition("/")
            if slash and not re.fullmatch("0{0,3}[1-9][0-9]{0,3}", step):
                return f"{step!r} is no step"
            if span in ("*", "?"):
                continue
            bounds = [self._value(one) for one in span.split("-")]
            if len(bounds) > 2 or None in bounds:
                return f"{span!r} is not {self.least} to {self.most}{self._named()}"
            if bounds != sorted(bounds, key=lambda value: value or 0):
                return f"{span!r} ends before it begins"
        return ""

    def _value(self, text: str) -> int | None:
        if text in self.words:
            return self.words[text]
        value = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else -1
        return value if self.least <= value <= self.most else None

    def _named(self) -> str:
        return f", or {next(iter(self.words))} to {list(self.words)[-1]}" if self.words else ""


_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec"
_DAYS: Final = "sun mon tue wed thu fri sat"
# The server's parser ends the week with 6: Sunday is 0 only.
_FIELDS: Final = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, {name: number for number, name in enumerate(_MONTHS.split(), 1)}),
    _Field("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS.split())}),
)


def six_fields(text: str) -> str:
    """Return the expression with its seconds; raise UsageError naming the field that is wrong."""
    fields = text.split()
    if len(fields) not in (5, 6):
        remedy = 'write minute, hour, day, month and weekday, such as "0 3 * * *"'
        raise UsageError(f"--cron {text!r}", f"it has {len(fields)} fields", remedy)
    whole = fields if len(fields) == 6 else ["0", *fields]
    for one, written in zip(_FIELDS, whole, strict=True):
        if fault := one.fault(written):
            remedy = 'write such as "0 3 * * *": every day at three'
            raise UsageError(f"--cron {text!r}", f"{one.name}: {fault}", remedy)
    return " ".join(whole)
