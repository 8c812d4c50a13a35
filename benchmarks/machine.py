"""What the figures were measured on and with."""

import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers import Peers


def describe(peers: Peers) -> list[str]:
    """Return lines that name the day, the machine, and the versions of all that took part."""
    load = ", ".join(f"{one:.2f}" for one in os.getloadavg())
    cpu = cpu_model(Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return [
        f"{time.strftime('%Y-%m-%d')}; load when it began: {load}",
        f"{os.cpu_count()} cores, {cpu}, {_memory()} GiB memory",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        f"docker-registry {_version('docker-registry')}, skopeo {_version('skopeo')}",
        ", ".join(f"{name} {version}" for name, version in peers.versions().items()),
    ]


def cpu_model(cpuinfo: str) -> str:
    """Return the name and what it offers for sha256, from the text of /proc/cpuinfo."""
    name = re.search(r"^model name\s*: *(.+)$", cpuinfo, re.MULTILINE)
    extension = re.search(r"\b(sha_ni|sha2)\b", cpuinfo)
    offers = f"with {extension[1]}" if extension else "without sha256 instructions"
    return f"{name[1] if name else platform.machine()} ({offers})"


def _memory() -> str:
    return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f}"


def _version(program: str) -> str:
    argv: Sequence[str] = [shutil.which(program) or program, "--version"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    return said.split()[2]
