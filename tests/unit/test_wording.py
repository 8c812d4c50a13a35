import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelcar.wording import duration, line, rate, size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (999.6, "1.0 kB"),
        (1000, "1.0 kB"),
        (90_868_376, "90.9 MB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (47_144_829_056, "47.1 GB"),
        (3_200_000_000_000, "3.2 TB"),
        (5_000_000_000_000_000_000, "5000.0 PB"),
    ],
)
def test_size_is_worded_in_decimal_units(count: float, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (-1, "0.0s"),
        (0.42, "0.4s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m 00s"),
        (125, "2m 05s"),
        (3599.7, "1h 00m"),
        (3840, "1h 04m"),
        (180_000, "50h 00m"),
    ],
)
def test_duration_is_worded_by_its_length(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_rate_is_bytes_over_seconds_and_empty_without_time() -> None:
    assert rate(853_000_000, 10) == "85.3 MB/s"
    assert rate(10, 0) == ""


@given(st.integers(min_value=0, max_value=10**18))
def test_size_has_at_most_three_digits_before_the_point(count: int) -> None:
    number, unit = size(count).split()
    assert float(number) < 1000 or unit == "PB"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        (" two\n lines\t\u2028here ", "two lines here"),
        ("a\x1b[31m\u202eb", "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 19 + "…"),
        ("", ""),
    ],
)
def test_line_is_one_short_printable_line(text: str, shown: str) -> None:
    assert line(text, 20) == shown
