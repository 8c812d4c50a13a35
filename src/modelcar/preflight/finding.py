"""What one check found."""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from modelcar.errors import ModelCarError, PreflightError

State = Literal["ok", "warning", "unknown", "failed"]

log = logging.getLogger(__name__)

_LEVELS: Final = {"ok": logging.INFO, "warning": logging.WARNING, "unknown": logging.INFO}


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


def require(findings: Iterable[Finding]) -> None:
    """Log each finding; raise PreflightError with all that failed, a line each."""
    failed = []
    for finding in findings:
        if finding.state == "failed":
            failed.append(finding)
        else:
            log.log(_LEVELS[finding.state], "preflight: %s", finding)
    if failed:
        raise PreflightError("\n".join(f"preflight: {finding}" for finding in failed))
