import pytest

from modelcar.dsp.cron import six_fields
from modelcar.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        ("  */15  0-6,22-23 1,15 JAN-jun mon-FRI ", "0 */15 0-6,22-23 1,15 JAN-jun mon-FRI"),
        ("30 0 3 ? * 0", "30 0 3 ? * 0"),
        ("5/10 3 * * *", "0 5/10 3 * * *"),
    ],
)
def test_an_expression_gets_its_seconds(text: str, expected: str) -> None:
    assert six_fields(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("@daily", "it has 1 fields"),
        ("* * * * * * *", "it has 7 fields"),
        ("60 3 * * *", "minute: '60' is not 0 to 59"),
        ("0 3 0 * *", "day of the month: '0' is not 1 to 31"),
        ("0 3 * feb-13 *", "month: 'feb-13' is not 1 to 12, or jan to dec"),
        ("0 3 * * 7", "day of the week: '7' is not 0 to 6, or sun to sat"),
        ("0 5-3 * * *", "hour: '5-3' ends before it begins"),
        ("0 1-2-3 * * *", "hour: '1-2-3' is not 0 to 23"),
        ("*/0 3 * * *", "minute: '0' is no step"),
        ("*/x 3 * * *", "minute: 'x' is no step"),
        ("*/ 3 * * *", "minute: '' is no step"),
        (", 3 * * *", "minute: '' is not 0 to 59"),
        ("-1 3 * * *", "minute: '-1' is not 0 to 59"),
        ("0 ٣ * * *", "hour: '٣' is not 0 to 23"),
        ("0 3 L * *", "day of the month: 'l' is not 1 to 31"),
        ("99 0 0 3 * *", "second: '99' is not 0 to 59"),
    ],
)
def test_a_bad_expression_names_its_field(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        six_fields(text)
    assert caught.value.why == why
    assert caught.value.remedy
