"""The packages that an embedded stage installs: pinned, with everything that they need."""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import requires
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_CONSTRAINTS: Final = Path(__file__).resolve().parents[1] / "constraints.txt"
# Where the stages run, whatever machine compiles: markers are read for this environment.
_TARGET: Final = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.12.0",
    "python_version": "3.12",
    "sys_platform": "linux",
}


def closure(packages: Iterable[str]) -> list[str]:
    """Return `packages` and all that they need as `name==version`, sorted.

    Raises KeyError for a package that constraints.txt does not pin.
    """
    found: set[str] = set()
    waiting = [Requirement(name) for name in packages]
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name not in found:
            found.add(name)
            waiting += _needs(name)
    return [f"{name}=={_pins()[name]}" for name in sorted(found)]


def _needs(name: str) -> Iterator[Requirement]:
    for line in requires(name) or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(_TARGET):
            yield requirement


@cache
def _pins() -> dict[str, str]:
    lines = _CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, _, version in pairs}
