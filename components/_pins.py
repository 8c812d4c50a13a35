"""The packages that an embedded stage installs: pinned, with everything that they need."""

from collections.abc import Collection, Iterable, Iterator
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

    Raises LookupError for a package that constraints.txt does not pin, ImportError for one that
    is not installed here, where what it needs is read.
    """
    found: dict[str, str] = {}
    seen: set[str] = set()
    waiting = [Requirement(name) for name in packages]
    while waiting:
        requirement = waiting.pop()
        if str(requirement) not in seen:
            seen.add(str(requirement))
            name = canonicalize_name(requirement.name)
            found[name] = _pin(name)
            waiting += _needs(name, requirement.extras)
    return [f"{name}=={version}" for name, version in sorted(found.items())]


def _needs(name: str, extras: Collection[str]) -> Iterator[Requirement]:
    environments = [_TARGET, *({**_TARGET, "extra": extra} for extra in extras)]
    for line in requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate(where) for where in environments):
            yield requirement


def _pin(name: str) -> str:
    try:
        return _pins()[name]
    except KeyError:
        raise LookupError(f"{name} is not pinned: run `make constraints`") from None


@cache
def _pins() -> dict[str, str]:
    lines = _CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("==") for line in lines if "==" in line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, _, version in pairs}
