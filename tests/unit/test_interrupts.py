"""What an interrupt does to a process that does not let itself be ended."""

import signal
import subprocess
import sys
import threading
from typing import Any, NoReturn, cast

import pytest

from modelcar import interrupts
from modelcar.errors import Stopped
from tests.interrupting import load

PROGRAM = """
import os, sys, threading, ctypes
from modelcar import interrupts

def leave(code):
    print("left", flush=True)
    os._exit(code)

with interrupts.heeded(leave):
    try:
        {work}
    except KeyboardInterrupt:
        print("heard", flush=True)
        {after}
print("ended")
"""
WAITS = 'print("ready", flush=True); threading.Event().wait()'
DEAF = (
    "mutex = (ctypes.c_char * 64)(); lock = ctypes.CDLL(None).pthread_mutex_lock; lock(mutex)\n"
    '        with interrupts.kept_off(): print("ready", flush=True); lock(mutex)'
)
"""A lock of C that is never given back, which no signal breaks off."""


def start(work: str, after: str = "pass") -> subprocess.Popen[str]:
    program = PROGRAM.format(work=work, after=after)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def ended(process: subprocess.Popen[str], seconds: float) -> tuple[int, str]:
    """Return how the process ended; it is killed, and the test fails, where it takes longer."""
    try:
        said, _ = process.communicate(timeout=seconds * load())
    finally:
        process.kill()
    return process.returncode, said


def unexpected(code: int) -> NoReturn:
    pytest.fail(f"left with {code}")


def test_an_interrupt_is_a_keyboard_interrupt() -> None:
    process = start(WAITS)
    process.send_signal(signal.SIGINT)
    assert ended(process, 2.0) == (0, "heard\nended\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_where_python_passes_errors_over_comes_again(number: signal.Signals) -> None:
    work = f'type("Last", (), {{"__del__": lambda self: [{WAITS.replace("; ", ", ")}]}})()'
    process = start(f"interrupts.LONGEST = 600.0; {work}; threading.Event().wait()")
    process.send_signal(number)
    assert ended(process, 2.0) == (0, "heard\nended\n")


def test_what_else_is_passed_over_is_told_as_before() -> None:
    told = list[str]()
    before, sys.unraisablehook = sys.unraisablehook, lambda given: told.append(str(given.exc_value))
    try:
        with interrupts.heeded(unexpected):
            type("Last", (), {"__del__": lambda self: 1 / 0})()
    finally:
        sys.unraisablehook = before
    assert told == ["division by zero"]


def test_what_is_put_away_too_long_is_left() -> None:
    process = start(WAITS, "threading.Event().wait()")
    process.send_signal(signal.SIGINT)
    assert ended(process, 2.0) == (130, "heard\nleft\n")


def test_a_second_interrupt_ends_it_at_once() -> None:
    process = start("interrupts.LONGEST = 600.0; " + WAITS, "threading.Event().wait()")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "heard\n"
    process.send_signal(signal.SIGINT)
    assert ended(process, 2.0) == (130, "left\n")


def test_a_main_thread_that_no_exception_reaches_is_ended_too() -> None:
    process = start(DEAF)
    process.send_signal(signal.SIGINT)
    assert ended(process, 2.0) == (130, "left\n")


def test_an_interrupt_waits_until_a_line_is_whole() -> None:
    work = (
        "with interrupts.kept_off():\n"
        '            print("ready", flush=True); sys.stdin.readline(); print("whole", flush=True)'
    )
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(work=work, after="pass")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate("\n", timeout=60)
    assert said == "whole\nheard\nended\n"


def test_who_ignores_interrupts_goes_on_doing_so() -> None:
    """As a shell's background command does."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.heeded(unexpected):
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_afterwards_all_is_as_before() -> None:
    handler, threads = signal.getsignal(signal.SIGINT), threading.active_count()
    with pytest.raises(KeyboardInterrupt), interrupts.heeded(unexpected):
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is handler
    assert threading.active_count() == threads


def test_another_thread_changes_nothing() -> None:
    found = []

    def work() -> None:
        with interrupts.heeded(unexpected), interrupts.kept_off():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


def test_sigterm_is_heeded_alike() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Stopped), interrupts.heeded(unexpected):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
    process = start(WAITS, "threading.Event().wait()")
    process.send_signal(signal.SIGTERM)
    assert ended(process, 2.0) == (143, "heard\nleft\n")


def test_sigterm_that_comes_in_a_line_waits_too() -> None:
    with pytest.raises(Stopped), interrupts.heeded(unexpected), interrupts.kept_off():
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_what_is_put_away_is_not_broken_off_by_another_signal(second: signal.Signals) -> None:
    left: list[int] = []
    with pytest.raises(KeyboardInterrupt), interrupts.heeded(cast(interrupts.Leave, left.append)):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            signal.raise_signal(second)
            put_away = True
    assert put_away
    assert left == [130]


def test_a_handler_of_c_is_followed_by_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python cannot name such a one, and would not set it again."""
    real = signal.signal
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def unnamed(number: int, handler: Any) -> None:
        real(number, handler)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(signal, "signal", unnamed)
            with interrupts.heeded(unexpected):
                pass
        assert {signal.getsignal(number) for number in before} == {signal.SIG_DFL}
    finally:
        for number, handler in before.items():
            real(number, handler)
