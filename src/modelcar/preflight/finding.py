"""What one check found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from modelcar.errors import ModelCarError

State = Literal["ok", "warning", "unknown", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was checked, what came out, and what to do where it is not ok."""

    check: str
    state: State
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.state:<8}{self.check}: {self.what}"
        return f"{text}; {self.remedy}" if self.remedy else text


Check = Callable[[], Iterator[Finding]]


def run(check: Check, name: str) -> Iterator[Finding]:
    """Yield what a check finds; an error of ours that it raises is a finding too."""
    try:
        yield from check()
    except ModelCarError as error:
        why = f"{error.what}: {error.why}" if error.why else error.what
        yield Finding(name, "failed", why, error.remedy)
