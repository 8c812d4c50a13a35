"""What every task of the pipeline does around its stage: log, record, and fail in one line."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from modelcar import stopping, termination
from modelcar.errors import ModelCarError, Stopped, UsageError
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
        raise UsageError("parameter workdir", why, "name a folder of the volume claim")
    return path


def recorder(workdir: str) -> RunRecorder:
    """Return what records this run in the work folder, or for the pod alone without one."""
    return RunRecorder(root(workdir) if workdir else None, run_id(), termination.leave)


@contextmanager
def task(name: str, workdir: str) -> Iterator[Handle]:
    """Run one stage with its record: in the pod, and in the work folder of a task that has one.

    An error ends the process as `spoken` has it.
    """
    with spoken(name):
        with recorder(workdir).stage(name) as stage:
            yield stage
        log.info("%s %s: %s", name, stage.status, stage.detail)


@contextmanager
def spoken(name: str) -> Iterator[None]:
    """Log to standard error; an error of ours ends the process with its code and one line.

    The log of a failed task is all that a user can see of it.
    """
    _log()
    try:
        with stopping.heeded():
            yield
    except ModelCarError as error:
        notes = getattr(error, "__notes__", ())
        log.error("%s failed: %s", name, "\n  ".join([str(error), *notes]))
        sys.exit(error.exit_code)
    except Stopped as error:
        log.error("%s failed: %s", name, error)
        stopping.leave(error.exit_code)


def _log() -> None:
    # KFP's executor lets every library speak, among them one that logs signed addresses.
    logging.basicConfig(stream=sys.stderr, format="%(message)s")
    logging.getLogger().setLevel(logging.WARNING)
    log.setLevel(logging.INFO)
