"""Secrets that are known wherever they turn up: every secret of a test carries one mark.

`canary_watch` looks for it, and fails what shows it. What authorises a request to a server of the
tests and has no mark is a failure too, so that no secret goes unwatched.
"""

import base64
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Final

MARK: Final = "C4naryBird"
"""Letters and digits only: a header, a file and an address have it as it is."""
_PLANTED: Final = frozenset(
    {
        *("auth.json", ".dockerconfigjson", ".docker/config.json"),  # logins
        *("token", ".env", "tokens.csv"),
        *("member/wal", "member/snap"),  # etcd's own, which keeps the Secrets of a cluster
    }
)
"""Files in which tests put secrets, by the end of their path; kubeconfig* are too."""


def secret(name: str = "") -> str:
    """Return a secret for `name`, which is fit for a header, an address and a file."""
    return f"{MARK}-{name}"


def _encoded(text: str) -> Iterator[str]:
    """Yield what base64 makes of `text` for certain, wherever it stands in what is encoded."""
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + text.encode()).decode()
        yield whole[-(-before * 8 // 6) : (before + len(text)) * 8 // 6]


_ONCE: Final = tuple(_encoded(MARK))
_TWICE: Final = tuple(again for text in _ONCE for again in _encoded(text))
_PERCENT: Final = "".join(f"%{letter:02X}" for letter in MARK.encode())
NEEDLES: Final = tuple(
    text.encode() for text in (MARK, *_ONCE, *_TWICE, _PERCENT, _PERCENT.lower())
)
"""The mark as it is, in base64 once (a login) and twice (a login in a Secret), and %-encoded."""
_WORDS: Final = tuple(needle.decode() for needle in NEEDLES)

unmarked: Final[list[str]] = []
"""What came to a server as a secret, and has no mark."""
_own: Final[set[Path]] = set()


def shown(text: str | bytes | bytearray) -> str:
    """Return the first secret in `text` with what stands around it, nothing where there is none."""
    if isinstance(text, str):
        return next((_around(text, word) for word in _WORDS if word in text), "")
    found = next((needle for needle in NEEDLES if needle in text), None)
    return _around(text.decode("latin-1"), found.decode()) if found else ""


def _around(text: str, word: str) -> str:
    at = text.index(word)
    return text[max(at - 60, 0) : at + len(word) + 60]


def planted(path: Path) -> Path:
    """Take note that a test writes a secret into `path`, a file or a folder; return it."""
    _own.add(path)
    return path


def is_planted(path: Path) -> bool:
    """Return whether a test itself has put a secret into the file."""
    ends = {path.name, f"{path.parent.name}/{path.name}"}
    ends.add(f"{path.parent.parent.name}/{path.parent.name}")
    known = not ends.isdisjoint(_PLANTED) or path.name.startswith("kubeconfig")
    return known or not _own.isdisjoint({path, *path.parents})


def arrived(headers: Message) -> None:
    """Take note of what authorises a request that came to a server."""
    for name in ("Authorization", "Proxy-Authorization"):
        scheme, _, text = (headers.get(name) or "").partition(" ")
        found = _password(text) if scheme.lower() == "basic" else text
        if found and not shown(found):
            unmarked.append(found)


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode().partition(":")[2]
    except ValueError:
        return encoded
