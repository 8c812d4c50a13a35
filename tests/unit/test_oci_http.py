import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.oci.http import Challenge, parse_challenge

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
