"""Tries, pauses, and when they end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.errors import HubError, OciRegistryError, ServerError
from modelcar.retries import Patience, backoff, retrying


@given(st.integers(0, 100))
def test_the_pause_doubles_with_jitter_up_to_half_a_minute(attempt: int) -> None:
    longest = min(0.5 * 2**attempt, 30.0)
    assert longest / 2 <= backoff(attempt) <= longest


def test_two_clients_do_not_come_back_together() -> None:
    assert len({backoff(3) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    ("retry_after", "pause"), [("0", 0.0), ("7", 7.0), ("120", 120.0), ("86400", 120.0)]
)
def test_retry_after_is_honoured_up_to_two_minutes(retry_after: str, pause: float) -> None:
    assert backoff(0, retry_after) == pause


@pytest.mark.parametrize("text", ["", None, "-1", "1.5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_any_other_retry_after_leaves_the_usual_pause(text: str | None) -> None:
    assert 0.25 <= backoff(0, text) <= 0.5


def refusal(status: int, *, may_pass: bool = True) -> OciRegistryError:
    # At once, so that the test need not wait.
    return OciRegistryError("what", "why", status=status, may_pass=may_pass, retry_after="0")


@pytest.mark.parametrize(
    "error",
    [refusal(503), refusal(0), HubError("what", may_pass=True, retry_after="0")],
    ids=["an answer", "no answer", "the Hub"],
)
def test_what_may_pass_is_tried_five_times(error: OciRegistryError) -> None:
    faults = [error] * 4

    def attempt() -> str:
        if faults:
            raise faults.pop()
        return "the fifth"

    assert retrying(attempt) == "the fifth"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal(503), 5),
        (refusal(404, may_pass=False), 1),
        (refusal(0, may_pass=False), 1),
    ],
)
def test_the_last_error_is_raised_and_what_cannot_pass_at_once(
    error: OciRegistryError, expected: int
) -> None:
    tries: list[int] = []

    def attempt() -> None:
        tries.append(1)
        raise error

    with pytest.raises(OciRegistryError) as caught:
        retrying(attempt)
    assert caught.value is error
    assert len(tries) == expected


def test_progress_makes_patience_new() -> None:
    patience = Patience()
    for reached in range(50):
        patience.wait(refusal(0), reached)
    for _ in range(3):
        patience.wait(refusal(0), 49)
    with pytest.raises(ServerError):
        patience.wait(refusal(0), 49)
