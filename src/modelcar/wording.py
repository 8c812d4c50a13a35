"""Numbers and texts as people read them: decimal units, as disks and the Hub count."""

import re

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_MARKUP = re.compile(r"[\\`*_\[\]|~#&<>]")
_UNITS = ("kB", "MB", "GB", "TB", "PB")


def size(count: float) -> str:
    """Word a number of bytes, as `90.9 MB`."""
    if round(count) < 1000:
        return f"{round(count)} B"
    for unit in _UNITS:
        count /= 1000
        # 999.95 would be rounded to 1000.0, which belongs to the next unit.
        if count < 999.95 or unit == _UNITS[-1]:
            break
    return f"{count:.1f} {unit}"


def duration(seconds: float) -> str:
    """Word a number of seconds, as `3.2s`, `2m 05s` or `1h 04m`."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest}s"
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    return f"{minutes // 60}h {minutes % 60:02d}m"


def rate(count: float, seconds: float) -> str:
    """Word bytes over seconds, as `85.3 MB/s`; empty where no time passed."""
    return f"{size(count / seconds)}/s" if seconds > 0 else ""


def shown(text: str) -> str:
    """Return `text`, of a line or several, without what would steer a terminal or is no text."""
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )


def line(text: str, limit: int = 300) -> str:
    """Return `text` on one line of at most `limit` characters, without control characters."""
    shown = "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for char in " ".join(text.split())
    )
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def markdown(text: str) -> str:
    """Return `text` so that Markdown, also within a table, shows it as it is."""
    return _MARKUP.sub(lambda match: _ENTITIES.get(match[0], f"\\{match[0]}"), text)
