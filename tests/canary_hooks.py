"""What one Python process starts and logs, watched for secrets.

Of the standard library only and for every Python: a session also puts it before its children, as
their `sitecustomize`.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would cost each child some milliseconds
    from collections.abc import Callable, Mapping, Sequence
    from logging import Logger, LogRecord
    from typing import Any

_ENVIRONMENTS = {"subprocess.Popen": 3, "os.exec": 2, "os.posix_spawn": 2}
"""Where the audit event of a start has the environment; after the program and its arguments."""
_OWN_WORDS = ("kubernetes.client.rest", "kfp_server_api.rest")
"""They log whole answers at DEBUG, which modelcar never lets them: a test holds that."""


def install(needles: Sequence[bytes], tell: Callable[[str], object]) -> None:
    """Call `tell` with a line for each secret in a child's arguments or environment, or logged.

    An environment counts where modelcar itself starts the child. A proxy's password does not: the
    child needs it.
    """
    words = [needle.decode() for needle in needles]

    def shows(text: str) -> bool:
        return any(word in text for word in words)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _ENVIRONMENTS:
            start(arguments[0], arguments[1], arguments[_ENVIRONMENTS[event]])
        elif event == "os.system":
            start("sh", arguments[0], None)

    def start(program: Any, given: Any, environment: Mapping[Any, Any] | None) -> None:
        argv = [os.fsdecode(one) for one in ([given] if isinstance(given, (str, bytes)) else given)]
        if any(map(shows, argv)):
            tell(f"arguments of {program!r}: {argv}")
        for name, text in _inherited(environment) if _by_modelcar() else ():
            if shows(text) and not name.lower().endswith("_proxy"):
                tell(f"environment of {program!r}: {name}")

    sys.addaudithook(audit)
    own = getattr(sys, "orig_argv", sys.argv)
    if any(map(shows, own)):
        tell(f"arguments of this process: {own}")
    _listen(shows, tell)


def _inherited(environment: Mapping[Any, Any] | None) -> list[tuple[str, str]]:
    pairs = (os.environ if environment is None else environment).items()
    return [(os.fsdecode(name), os.fsdecode(text)) for name, text in pairs]


def _by_modelcar() -> bool:
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").partition(".")[0] == "modelcar":
            return True
        frame = frame.f_back
    return False


def _listen(shows: Callable[[str], bool], tell: Callable[[str], object]) -> None:
    """Hear every record, also those that nobody would; what is passed on stays as it was."""
    import logging

    enabled, handle = logging.Logger.isEnabledFor, logging.Logger.handle

    def heard(self: Logger, record: LogRecord) -> None:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = ""  # whoever formats it says that it cannot be
        if record.name == "urllib3.connectionpool" and record.levelno == logging.DEBUG:
            # Each request's line, with what signs an address; modelcar never lets it say that.
            text = text.partition("?")[0] + text.rpartition(" HTTP/")[2]
        if shows(text) and record.name not in _OWN_WORDS:
            tell(f"log record of {record.name} at {record.levelname}: {text}")
        if enabled(self, record.levelno):
            handle(self, record)

    logging.Logger.isEnabledFor = lambda self, level: True  # type: ignore[method-assign]
    logging.Logger.handle = heard  # type: ignore[method-assign]
