"""Several Python processes that begin the same work at the same moment."""

import subprocess
import sys
from collections.abc import Sequence

_GATE = "print('ready', flush=True)\nsys.stdin.readline()\n"


def at_once(prepare: str, work: str, arguments: Sequence[str]) -> None:
    """Run `work` in one process per argument (`sys.argv[1]`), begun together after `prepare`.

    Raises CalledProcessError when one of them fails.
    """
    program = f"import sys\n{prepare}\n{_GATE}{work}\n"
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen([sys.executable, "-c", program, argument], stdin=pipe, stdout=pipe)
        for argument in arguments
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in started:
        process.communicate()
    for process in started:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)
