"""The same work on several things at a time."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from modelcar.errors import ModelCarError

WORKERS: Final = 4
"""Enough to keep disk and network busy; more only cost memory."""
_GRACE: Final = 1.0
"""Seconds that an interrupt leaves others to put away what they began: a server may be silent."""
Item = TypeVar("Item")
Result = TypeVar("Result")


class Stop:
    """Ends long work between two blocks, once something else has failed or was interrupted."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """End what follows this."""
        self._event.set()

    def follow(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the blocks; raise ModelCarError after `set`."""
        for block in blocks:
            if self._event.is_set():
                raise ModelCarError("a transfer", "it was ended with the others", "run it again")
            yield block


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], stop: Stop | None = None
) -> list[Result]:
    """Return what `work` returns for each item, in their order.

    At the first error, and at an interrupt, nothing new is begun; what follows `stop` ends at its
    next block, and other work that runs is waited for, at an interrupt for a second.
    """
    pool, waits, futures = ThreadPoolExecutor(WORKERS), True, list[Future[Result]]()
    try:
        futures += [pool.submit(work, item) for item in items]
        for future in wait(futures, return_when=FIRST_EXCEPTION).done:
            future.result()  # raises what failed, while others may still be running
        return [future.result() for future in futures]
    except KeyboardInterrupt:
        waits = False
        raise
    finally:
        if stop:
            stop.set()
        pool.shutdown(wait=waits, cancel_futures=True)
        wait([one for one in futures if not one.cancelled()], timeout=_GRACE)
