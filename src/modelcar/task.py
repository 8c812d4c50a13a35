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

RUN_ID: Final = "MODELCAR_RUN_ID"
"""Set on every task from the pod's label `pipeline/runid`."""
MODEL_REGISTRY: Final = Path("/etc/modelcar/model-registry")
"""Where the secret `model-registry-config` is mounted."""
log = logging.getLogger("modelcar")


def run_id() -> str:
    """Return the id of the pipeline run that this process belongs to, `local` outside one."""
    return os.environ.get(RUN_ID) or "local"


def root(workdir: str) -> Path:
    """Return where the work folder lies on the PVC; raise UsageError for a relative path."""
    path = Path(workdir)
    if not path.is_absolute():
        why = f"{workdir!r} is not an absolute path"
        raise UsageError("parameter workdir", why, "name a folder on the PVC")
    return path


@contextmanager
def task(name: str, workdir: str) -> Iterator[Handle]:
    """Run one stage: with its record in the work folder, and an exit code at the end.

    The log goes to standard error. An error of ours ends the process with its code and one line,
    since the log of a failed task is all that a user can see of it.
    """
    _log()
    try:
        with RunRecorder(root(workdir), run_id()).stage(name) as stage:
            yield stage
        log.info("%s %s: %s", name, stage.status, stage.detail)
    except ModelCarError as error:
        notes = getattr(error, "__notes__", ())
        log.error("%s failed: %s", name, "\n  ".join([str(error), *notes]))
        sys.exit(error.exit_code)


def _log() -> None:
    # KFP's executor lets every library speak, among them one that logs signed addresses.
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    logging.getLogger().setLevel(logging.WARNING)
    log.setLevel(logging.INFO)
