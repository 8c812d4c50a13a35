"""What every task of the pipeline does around its stage: log, record, and fail in one line."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from modelcar.errors import ModelCarError, UsageError
from modelcar.records import Handle, RunRecorder
from modelcar.workfolder import WorkFolder

RUN_ID: Final = "MODELCAR_RUN_ID"
"""Set on every task from the pod's label `pipeline/runid`."""
MODEL_REGISTRY: Final = Path("/etc/modelcar/model-registry")
"""Where the secret `model-registry-config` is mounted."""
log = logging.getLogger("modelcar")


def run_id() -> str:
    """Return the id of the pipeline run that this process belongs to, `local` outside one."""
    return os.environ.get(RUN_ID) or "local"


def work_folder(workdir: str) -> WorkFolder:
    """Return the work folder on the PVC; raise UsageError when its path is not absolute."""
    path = Path(workdir)
    if not path.is_absolute():
        why = f"{workdir!r} is not an absolute path"
        raise UsageError("parameter workdir", why, "name a folder on the PVC")
    return WorkFolder(path)


@contextmanager
def task(name: str, workdir: str = "") -> Iterator[Handle]:
    """Run one stage: with a record where a work folder is mounted, and an exit code at the end.

    The log goes to standard error. An error of ours ends the process with its code and one line,
    since the log of a failed task is all that a user can see of it.
    """
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    log.setLevel(logging.INFO)
    try:
        if not workdir:
            yield Handle()
            return
        with RunRecorder(work_folder(workdir).root, run_id()).stage(name) as stage:
            yield stage
    except ModelCarError as error:
        log.error("%s failed: %s", name, error)
        sys.exit(error.exit_code)
