"""The last words of an interrupted command: what stands, and how to go on."""

import os
import re
import select
import shlex
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NoReturn

from modelcar import secret_variables, wording

if TYPE_CHECKING:
    from modelcar.view import View

_STDERR: Final = 2
_PATIENCE: Final = 0.2
"""Seconds that who reads the last words may take, or who says them elsewhere."""
_LOGIN: Final = re.compile(r"(?<!hf)(://)[^/\s]*@")
"""In a URI of the Hub, a revision stands behind the @."""
_SIGNED: Final = re.compile(
    r"(?<=[?&])([\w.-]*(?:token|sign|secret|key|password)[\w.-]*=)[^&\s]+", re.IGNORECASE
)
_TOKEN: Final = re.compile(r"\bhf_[A-Za-z0-9]{20,}|\bsha256~[\w-]{20,}|\beyJ[\w-]{8,}\.[\w.-]+")


class Farewell:
    """Says once what stands of the command that was typed, and ends the process."""

    def __init__(self) -> None:
        self.view: View | None = None
        self._typed = self._verb = ""
        self._saying = threading.Lock()

    def typed(self, program: str, arguments: Sequence[str]) -> None:
        """Take note of the command, by which the user goes on."""
        self._typed = again(program, arguments, os.environ)
        self._verb = next((text for text in arguments if not text.startswith("-")), "")

    def leave(self, code: int = 130) -> NoReturn:
        """End the process at once: other threads may wait for a server that is silent."""
        try:
            if self._saying.acquire(timeout=3 * _PATIENCE):  # for good: they are said once
                self._say()
        finally:  # whatever comes between, as another signal or an error of the view
            os._exit(code)

    def _say(self) -> None:
        if self.view:
            self.view.still(_PATIENCE)
        shown = wording.shown("\n".join(self.lines())) + "\n"
        behind = "\n" if os.isatty(_STDERR) else ""
        restore = self.view.restore if self.view else behind
        if select.select([], [_STDERR], [], _PATIENCE)[1]:  # else nobody reads, and it would block
            os.write(_STDERR, f"{restore}{shown}".encode(errors="replace"))

    def lines(self) -> list[str]:
        """Return what is said."""
        now = self.view.standing if self.view else None
        stage = (now.stage if now else "") or self._verb
        where = f"interrupted in {stage}" if stage else "interrupted"
        stands = f": {told}" if now and (told := now.told()) else ""
        again = [f"to go on: {self._typed}"] if self._typed else []
        return [f"modelcar: {where}{stands}", *again]


def again(program: str, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return a command as it is typed, without what looks like a secret."""
    hidden = [environment[name] for name in secret_variables.NAMES if environment.get(name)]
    return shlex.join([program, *(_without(text, hidden) for text in arguments)])


def _without(text: str, hidden: Sequence[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, "…")
    return _TOKEN.sub("…", _SIGNED.sub(r"\1…", _LOGIN.sub(r"\1…@", text)))
