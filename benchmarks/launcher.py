"""Run one command and tell what it took: `python -I -S launcher.py DESCRIPTOR LIMIT COMMAND…`.

A process's peak memory begins with what its parent held when it was begun, whether by fork or by
posix_spawn (Linux: `exec_mmap` in fs/exec.c). Hence a parent that holds no more than a bare
interpreter does. LIMIT is the largest file in bytes that COMMAND may write, 0 for any.
"""

import json
import os
import resource
import sys
import time


def main() -> None:
    """Write seconds and counts as JSON to DESCRIPTOR, once COMMAND has ended."""
    descriptor, limit, *command = sys.argv[1:]
    os.set_inheritable(int(descriptor), False)
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    began = time.monotonic()
    process = os.posix_spawnp(command[0], command, os.environ)
    os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    seconds = time.monotonic() - began
    read = _read(process)  # of a process that has ended and was not yet waited for
    _, status, usage = os.wait4(process, 0)
    told = {"seconds": seconds, "read": read, **_told(usage)}
    told["code"] = os.waitstatus_to_exitcode(status)
    os.write(int(descriptor), json.dumps(told).encode())


def _told(usage: resource.struct_rusage) -> dict[str, float]:
    return {
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,
        "written": usage.ru_oublock * 512,  # getrusage(2) counts blocks of 512 bytes
    }


def _read(process: int) -> int:
    """Return the bytes that the process and its children read from files; sockets do not count."""
    descriptor = os.open(f"/proc/{process}/io", os.O_RDONLY)
    first, *_ = os.read(descriptor, 4096).decode().splitlines()
    os.close(descriptor)
    return int(first.removeprefix("rchar: "))


if __name__ == "__main__":
    main()
