"""A time has one reading, or it is refused with the option that would read it."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from shared.mapping.times.readers import TimeRule, check_format, time_reader, to_zone

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECONDS = int(NOON.timestamp())
UNDECLARED = time_reader(TimeRule())
BERLIN = TimeRule(zone=to_zone("Europe/Berlin"))


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31t12:00:00z",
        "2026-01-31T13:00:00+01:00",
        "2026-01-31T13:00:00+01",
        "2026-01-31 13:00:00 +0100",
        "2026-01-31 12:00:00 UTC",
        "2026-01-31 12:00:00.000000 UTC",
        "2026-01-31 12:00 GMT",
        " 2026-01-31T12:00:00Z ",
        NOON,
        SECONDS,
        str(SECONDS),
        f"{SECONDS}.000",
        Decimal(f"{SECONDS}.0"),
        SECONDS * 1000,
        str(SECONDS * 1000),
        SECONDS * 10**6,
        str(SECONDS * 10**6),
        SECONDS * 10**9,
    ],
)
def test_times_are_read_without_a_declared_format(value: object) -> None:
    assert UNDECLARED(value) == NOON


@pytest.mark.parametrize(
    ("value", "microsecond"),
    [
        ("2026-01-31T12:00:00.123Z", 123_000),
        ("2026-01-31T12:00:00,123Z", 123_000),
        ("2026-01-31T11:59:60.123Z", 123_000),
        ("2026-01-31T12:00:00.123456789Z", 123_456),
        (f"{SECONDS}.123", 123_000),
        (Decimal(f"{SECONDS}.123"), 123_000),
        (SECONDS * 1000 + 123, 123_000),
        (SECONDS * 10**6 + 123_456, 123_456),
        (SECONDS * 10**9 + 123_456_789, 123_456),
    ],
)
def test_fractions_of_a_second_are_kept(value: object, microsecond: int) -> None:
    assert UNDECLARED(value) == NOON.replace(microsecond=microsecond)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("1.79519E+12", "has lost digits"),
        (Decimal("1.79519E+12"), "has lost digits"),
        (46346, "spreadsheet's date: read it with --time-format spreadsheet"),
        ("46346.59861", "spreadsheet's date: read it with --time-format spreadsheet"),
        (2026, "may be a date: read it with --time-format '%Y'"),
        ("20260131", "may be a date: read it with --time-format '%Y%m%d'"),
        (20260131, "may be a date: read it with --time-format '%Y%m%d'"),
        ("2026013112", "may be a date: read it with --time-format '%Y%m%d%H'"),
        ("202601311200", "may be a date: read it with --time-format '%Y%m%d%H%M'"),
        ("20260131120000", "may be a date: read it with --time-format '%Y%m%d%H%M%S'"),
        (123_456_789, "seconds since 1970 have 10 digits.* --time-format seconds"),
        (0, "seconds since 1970 have 10 digits"),
        (7, "seconds since 1970 have 10 digits"),
        (-SECONDS, "seconds since 1970 have 10 digits"),
        (10**40, "seconds since 1970 have 10 digits"),
        ("31/01/2026 14:22", r"read it with --time-format '%d/%m/%Y %H:%M'"),
        ("1/31/2026 2:22 PM", r"read it with --time-format '%m/%d/%Y %I:%M %p'"),
        ("31.01.2026 14:22:05", r"read it with --time-format '%d\.%m\.%Y %H:%M:%S'"),
        ("5/6/2026", r"begin with day or month: use --time-format '%d/%m/%Y' or '%m/%d/%Y'"),
        ("2026-01-31", "has no time zone: name one, such as --time-zone Europe/Berlin"),
        ("2026-01-31T12:00:00", "has no time zone"),
        (date(2026, 1, 31), "has no time zone"),
        ("2026-13-31T12:00:00Z", "is not a time: month must be in 1..12"),
        ("2026-01-31T12:00:60Z", "is not a time: second must be in 0..59"),
        ("9999-12-31T23:59:60Z", "is not a time: date value out of range"),
        ("2026-01-31T24:00:00Z", "is not a time: hour must be in 0..23"),
        ("0000-00-00 00:00:00", "is not a time: year 0 is out of range"),
        ("2026-W05-6T12:00:00", "is not a time such as .* --time-format"),
        ("20260131T120000Z", "is not a time such as"),
        ("Jan 31, 2026, 2:22 PM", r"read it with --time-format '%b %d, %Y, %I:%M %p'"),
        ("31 January 2026 14:22", r"read it with --time-format '%d %B %Y %H:%M'"),
        ("31st of January", "name its format with --time-format"),
        ("31 Jan 31, 2026", "name its format with --time-format"),
        ("12:00", "is not a time"),
        ("tomorrow", "is not a time"),
        ("", "is not a time"),
        ("nan", "is not a time"),
        ("x" * 100_000, "is not a time"),
        (True, "'true' is not a time"),
        (None, "is not a time"),
        ([], "is not a time"),
    ],
)
def test_everything_else_is_refused(value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as caught:
        UNDECLARED(value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("rule", "value", "time"),
    [
        (TimeRule("seconds"), "123456789", datetime(1973, 11, 29, 21, 33, 9, tzinfo=UTC)),
        (TimeRule("milliseconds"), 20_260_131, datetime(1970, 1, 1, 5, 37, 40, 131_000, tzinfo=UTC)),
        (TimeRule("microseconds"), str(SECONDS * 10**6), NOON),
        (TimeRule("nanoseconds"), SECONDS * 10**9, NOON),
        (TimeRule("spreadsheet", UTC), "46053.5", NOON),
        (TimeRule("spreadsheet", UTC), Decimal("46053.599305556"), NOON + timedelta(hours=2, minutes=23)),
        (TimeRule("%d.%m.%Y %H:%M", UTC), "31.01.2026 12:00", NOON),
        (TimeRule("%d.%m.%Y %H:%M %z"), "31.01.2026 13:00 +0100", NOON),
        (TimeRule("%Y%m%d", UTC), 20_260_131, NOON.replace(hour=0)),
        (TimeRule("%d.%m.%Y %H:%M", BERLIN.zone), "31.01.2026 13:00", NOON),
        (BERLIN, "2026-01-31 13:00", NOON),
        (BERLIN, "2026-01-31", NOON - timedelta(hours=13)),
        (BERLIN, "2026-07-31T14:00:00", datetime(2026, 7, 31, 12, tzinfo=UTC)),
        (BERLIN, "2026-01-31T12:00:00Z", NOON),
        (TimeRule(zone=BERLIN.zone, repeated="first"), "2026-10-25 02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),
        (TimeRule(zone=BERLIN.zone, repeated="second"), "2026-10-25 02:30", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),
        (TimeRule(zone=timezone(timedelta(hours=2))), "2026-01-31 14:00", NOON),
    ],
)
def test_declared_times(rule: TimeRule, value: object, time: datetime) -> None:
    assert time_reader(rule)(value) == time


@pytest.mark.parametrize(
    ("rule", "value", "sentence"),
    [
        (TimeRule("seconds"), "noon", "is not a number"),
        (TimeRule("seconds"), "1.79519E+9", "has lost digits"),
        (TimeRule("seconds"), True, "is not a number"),
        (TimeRule("seconds"), 10**20, "is after the year 9999"),
        (TimeRule("spreadsheet", UTC), 10**9, "is after the year 9999"),
        (TimeRule("spreadsheet"), 46053, "has no time zone"),
        (TimeRule("%d.%m.%Y", UTC), "2026-01-31", r"is not a time in the format '%d\.%m\.%Y'"),
        (BERLIN, "0001-01-01", "is not within the years 2 to 9998"),
        (BERLIN, "9999-12-31", "is not within the years 2 to 9998"),
        (BERLIN, "2026-03-29 02:30:00", "does not exist in Europe/Berlin"),
        (BERLIN, "2026-10-25 02:30:00", r"exists twice in Europe/Berlin, with \+02:00 and with \+01:00"),
    ],
)
def test_what_a_declared_format_refuses(rule: TimeRule, value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        time_reader(rule)(value)


@pytest.mark.parametrize("text", ["seconds", "nanoseconds", "spreadsheet", "%d/%m/%Y", "%m/%d/%y %I:%M %p", "%Y"])
def test_formats(text: str) -> None:
    assert check_format(text) == text


@pytest.mark.parametrize("text", ["", "days", "%H:%M", "%d/%m", "%Q", "%", "dd/mm/yyyy"])
def test_what_is_not_a_format(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a time format: give one of seconds, .* '%d/%m/%Y %H:%M'"):
        check_format(text)


@pytest.mark.parametrize("name", ["Mars", "", "../etc/passwd", "CET+1", "\0"])
def test_what_is_not_a_time_zone(name: str) -> None:
    with pytest.raises(ValueError, match="is not a time zone such as Europe/Berlin or UTC"):
        to_zone(name)
