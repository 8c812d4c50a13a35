"""The same work on several things at a time."""

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Final, TypeVar

WORKERS: Final = 4
"""Enough to keep disk and network busy; more only cost memory."""
Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return what `work` returns for each item, in their order.

    At the first error, and at an interrupt, nothing new is begun; what runs is waited for.
    """
    with ThreadPoolExecutor(WORKERS) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                future.result()  # raises what failed, while others may still be running
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
