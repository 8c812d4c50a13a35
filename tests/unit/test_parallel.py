import hashlib
import threading

import pytest

from modelcar.errors import Stopped
from modelcar.parallel import WORKERS, in_parallel


def test_results_keep_the_order_of_the_items() -> None:
    assert in_parallel(lambda item: item * 2, range(20)) == [item * 2 for item in range(20)]


def test_several_run_at_a_time() -> None:
    together = threading.Barrier(WORKERS, timeout=30)

    # None would pass the barrier if fewer ran at once.
    assert len(in_parallel(lambda _: together.wait(), range(WORKERS))) == WORKERS


def test_after_an_error_nothing_new_is_begun() -> None:
    begun: list[int] = []
    failed = threading.Event()

    def work(item: int) -> None:
        begun.append(item)
        if item == 0:
            failed.set()
            raise ValueError("the first")
        failed.wait(30)
        hashlib.sha256(bytes(1 << 20))  # a while of work each, seconds for all of them

    with pytest.raises(ValueError, match="the first"):
        in_parallel(work, range(10_000))
    assert len(begun) < 10_000


def test_a_process_that_is_told_to_end_waits_for_nobody() -> None:
    silent = threading.Event()

    def work(number: int) -> None:
        if number:
            silent.wait(60)
        else:
            raise Stopped

    try:
        with pytest.raises(Stopped):
            in_parallel(work, range(2))
        assert not silent.is_set()
    finally:
        silent.set()
