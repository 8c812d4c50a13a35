"""What the checks of preflight may find, from their source: each `Finding(…)` there."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle

from scripts.error_texts import Said, every, shown

_PLACES = ("src/modelcar/preflight/", "src/modelcar/tasks/listed.py")
_GENERAL = "src/modelcar/preflight/finding.py"
"""Here an error of ours becomes a finding, whichever check it ends."""
_GIVEN = {"…": ("images",), "NAME": ("oci_registry", "mirror")}
"""Checks whose name is a parameter where they are made."""
_AGAIN = "run `modelcar bootstrap -n NAMESPACE`"
"""What a remedy that is a parameter (`again`) is, as where the volume claim is not there."""
_STATES = ("ok", "warning", "unknown", "failed")


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a check may say; more than one state: it depends."""

    checks: tuple[str, ...]
    states: tuple[str, ...]
    what: str
    remedy: str


def findings() -> Iterator[Told]:
    """Yield all that checks may find, in the order of the files."""
    for said in every():
        found = said.kind == "Finding" and said.place.startswith(_PLACES)
        if found and not said.place.startswith(_GENERAL):
            yield from _told(said)


def _told(said: Said) -> Iterator[Told]:
    """Yield a finding for each text; as many states as texts belong to them, one by one."""
    (check, *_), states = said.of
    name = shown(check).partition(".")[0]
    checks = _GIVEN.get(name, (name,))
    what, remedies = ([shown(_filled(text)) for text in part] for part in said.parts)
    paired = len(states) == len(what) > 1
    for text, state, remedy in zip(what, cycle(states), cycle(remedies or [""]), strict=False):
        ordered = sorted([state] if paired else states, key=_STATES.index)
        yield Told(checks, tuple(ordered), text, remedy)


def _filled(text: str) -> str:
    return text.replace("⟨again⟩", _AGAIN)
