"""From what stands in the cluster to causes and remedies, the weightiest first. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelcar.serving.rules import RULES, Rule
from modelcar.serving.signs import Seen, Sign, Where, signs
from modelcar.wording import line

_QUOTED = 8
"""Lines of a log."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a service is not ready, what to do, and whether waiting longer cannot heal it."""

    cause: str
    remedy: str
    terminal: bool
    where: Where
    evidence: tuple[str, ...] = ()
    """Lines of what was found, besides what the cause quotes."""


def diagnose(seen: Seen) -> Diagnosis | None:
    """Return what hinders the service most; None: nothing that is known."""
    return next(iter(diagnoses(seen)), None)


def diagnoses(seen: Seen, rules: Sequence[Rule] = RULES) -> tuple[Diagnosis, ...]:
    """Return all that hinders the service, the weightiest first, each place once."""
    found: dict[tuple[str, str], Diagnosis] = {}
    for rule, sign, match in _matches(rules, tuple(signs(seen))):
        found.setdefault((sign.where, sign.subject), _diagnosis(rule, sign, match))
    return tuple(found.values())


def _matches(
    rules: Sequence[Rule], found: Sequence[Sign]
) -> Iterator[tuple[Rule, Sign, re.Match[str]]]:
    for rule in rules:
        for sign in found:
            match = re.search(rule.pattern, sign.text, re.DOTALL)
            if match and sign.where == rule.where:
                yield rule, sign, match


def _diagnosis(rule: Rule, sign: Sign, match: re.Match[str]) -> Diagnosis:
    terminal = rule.terminal_after is not None and sign.restarts >= rule.terminal_after
    logged = sign.where == "log"
    quoted = match[0] if logged else sign.text
    cause = f"{match.expand(rule.cause)} ({sign.subject}: {line(quoted)})"
    evidence = _around(sign.text, match.start()) if logged else ()
    return Diagnosis(cause, match.expand(rule.remedy), terminal, rule.where, evidence)


def _around(text: str, start: int) -> tuple[str, ...]:
    """Return the line of a log in which a match begins, and those before it."""
    end = text.find("\n", start)
    lines = text[: end if end >= 0 else len(text)].splitlines()
    return tuple(line(one) for one in lines[-_QUOTED:] if one.strip())
