import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.exceptions import SSLError

from modelcar.errors import OciRegistryError
from modelcar.oci.http import TRANSIENT, Challenge, backoff, parse_challenge, retrying

TOKEN = {"realm": "https://auth.x/token", "service": "quay.io", "scope": "repository:a:pull,push"}


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        (
            'Bearer realm="https://auth.x/token",service="quay.io",scope="repository:a:pull,push"',
            Challenge("bearer", TOKEN),
        ),
        (
            'Bearer scope="repository:a:pull,push", service="quay.io", realm="https://auth.x/token"',
            Challenge("bearer", TOKEN),
        ),
        (
            'bearer REALM = "https://auth.x/token" ,Service= "quay.io",scope ='
            '"repository:a:pull,push"',
            Challenge("bearer", TOKEN),
        ),
        (
            'Bearer realm="https://auth.x/token",service=quay.io',
            Challenge("bearer", {"realm": "https://auth.x/token", "service": "quay.io"}),
        ),
        (
            "Bearer realm=https://auth.x/token?a=1,service=quay.io",
            Challenge("bearer", {"realm": "https://auth.x/token?a=1", "service": "quay.io"}),
        ),
        (
            'Bearer realm="https://x?a=b",service=""',
            Challenge("bearer", {"realm": "https://x?a=b", "service": ""}),
        ),
        ('Basic realm="a b, c=d"', Challenge("basic", {"realm": "a b, c=d"})),
        ("BASIC", Challenge("basic", {})),
        ("Bearer ", Challenge("bearer", {})),
        ('Bearer realm="unfinished', Challenge("bearer", {})),
        ("", Challenge("", {})),
    ],
)
def test_a_challenge_is_read_in_any_order_and_with_missing_quotes(
    header: str, challenge: Challenge
) -> None:
    assert parse_challenge(header) == challenge


_values = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"'))


@given(st.permutations(["realm", "service", "scope", "error"]), st.lists(_values, min_size=4))
def test_no_value_hides_another_parameter(names: list[str], texts: list[str]) -> None:
    parameters = dict(zip(names, texts, strict=False))
    header = ",".join(f'{name}="{text}"' for name, text in parameters.items())
    assert parse_challenge(f"Bearer {header}") == Challenge("bearer", parameters)


@given(st.text())
def test_no_header_breaks_the_parser(header: str) -> None:
    assert parse_challenge(header).scheme == header.partition(" ")[0].lower()


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


def refusal(status: int, cause: Exception | None = None) -> OciRegistryError:
    error = OciRegistryError("what", str(cause or ""), status=status)
    error.retry_after = "0"  # so that the test need not wait
    error.__cause__ = cause
    return error


BROKEN = ConnectionResetError("reset by peer")
UNTRUSTED = SSLError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate")


@pytest.mark.parametrize(
    "error",
    [*(refusal(status) for status in sorted(TRANSIENT)), refusal(0, BROKEN)],
    ids=lambda error: error.status,
)
def test_what_may_pass_is_tried_five_times(error: OciRegistryError) -> None:
    faults = [error] * 4

    def attempt() -> str:
        if faults:
            raise faults.pop()
        return "the fifth"

    assert retrying(attempt, "x") == "the fifth"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal(503), 5),
        (refusal(0, BROKEN), 5),
        (refusal(0, UNTRUSTED), 1),
        (refusal(0), 1),
        (refusal(401), 1),
        (refusal(404), 1),
        (refusal(416), 1),
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
        retrying(attempt, "x")
    assert caught.value is error
    assert len(tries) == expected
