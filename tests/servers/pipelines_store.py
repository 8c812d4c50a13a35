"""What a pipelines server keeps, and how it lists it: filters, order and pages."""

import base64
import json
import threading
import urllib.parse
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Row = dict[str, Any]
_BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Invalid(Exception):
    """A request that the server cannot take."""


class Store:
    """Rows by kind, in the order in which they came; `largest` is the longest page."""

    def __init__(self, largest: int = 200) -> None:
        self.largest = largest
        self._rows: dict[str, list[Row]] = {}
        self._lock = threading.Lock()
        self._clock = 0

    def add(self, kind: str, key: str, row: Row) -> Row:
        """Keep a row under a new id, which it has as `key`; each is a minute after the last."""
        with self._lock:
            self._clock += 1
            moment = _BEGAN + timedelta(minutes=self._clock)
            stamped = {key: str(uuid.uuid4()), "created_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}", **row}
            self._rows.setdefault(kind, []).append(stamped)
            return stamped

    def all(self, kind: str, **fields: str) -> list[Row]:
        """Return the rows of a kind that have these fields."""
        rows = self._rows.get(kind, [])
        return [row for row in rows if fields.items() <= row.items()]

    def remove(self, kind: str, row: Row) -> None:
        with self._lock:
            self._rows[kind].remove(row)

    def page(self, rows: list[Row], query: Mapping[str, str]) -> tuple[list[Row], str]:
        """Return one page and the token of the next, nothing after the last."""
        asked = [query.get("sort_by", ""), query.get("filter", "")]
        start, given = _place(query.get("page_token", ""))
        if given is not None and given != asked:
            raise Invalid("page token does not match the supplied sort by and/or filtering")
        chosen = _sorted(_filtered(rows, asked[1]), asked[0])
        size = min(int(query.get("page_size") or 20), self.largest)
        rest = json.dumps([start + size, asked]).encode()
        more = base64.b64encode(rest).decode() if start + size < len(chosen) else ""
        return chosen[start : start + size], more


def _place(token: str) -> tuple[int, list[str] | None]:
    if not token:
        return 0, None
    try:
        start, asked = json.loads(base64.b64decode(token))
    except ValueError as error:
        raise Invalid(f"Invalid package token: {error}") from error
    return start, asked


def _filtered(rows: list[Row], text: str) -> list[Row]:
    if not text:
        return rows
    # Decoded a second time, as the server does.
    predicates = json.loads(urllib.parse.unquote_plus(text))["predicates"]
    return [row for row in rows if all(_meets(row, one) for one in predicates)]


def _meets(row: Row, predicate: Mapping[str, Any]) -> bool:
    value = predicate.get("string_value", predicate.get("stringValue"))
    found = row.get({"name": "display_name"}.get(predicate["key"], predicate["key"]), "")
    if predicate["operation"] in ("EQUALS", 1):
        return bool(found == value)
    if predicate["operation"] in ("IS_SUBSTRING", 9):
        return str(value) in found
    raise Invalid(f"operation {predicate['operation']} is not served here")


def _sorted(rows: list[Row], order: str) -> list[Row]:
    name, _, direction = order.partition(" ")
    if name not in ("", "created_at", "display_name"):
        raise Invalid(f"Invalid sorting field: {name}")
    return sorted(rows, key=lambda row: str(row[name or "created_at"]), reverse=direction == "desc")
