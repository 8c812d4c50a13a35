import signal
import threading

import pytest

from modelcar import stopping
from modelcar.errors import Stopped


def test_sigterm_is_an_interrupt_meanwhile_and_nothing_after() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped), stopping.heeded():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_thread_changes_nothing() -> None:
    found = []

    def work() -> None:
        with stopping.heeded():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]
