"""Readers of times: functions from the value of a field to an aware time.

Guarantee: a value has one reading, or it is refused with a sentence that names the option that would read it. What is
accepted without a declared format:

* RFC 3339 with `T` or a space, with or without seconds; the zone is `Z`, `UTC`, `GMT` or an offset such as `+01`;
* a date alone, which means midnight at its start;
* a number since 1970, whose unit is told by its whole digits: 10 are seconds, 13 milliseconds, 16 microseconds and
  19 nanoseconds, which covers 2001 to 2286.

A time without a zone is read in the zone that was declared, and refused if there is none.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from shared.mapping.times import refusals
from shared.mapping.times.local import Repeated, localiser
from shared.message_files.scalars import shown

Reader = Callable[[object], datetime]
"""Raises ValueError, whose text is a sentence that begins with the value."""

UNITS: dict[str, int | Decimal] = {
    "seconds": 1_000_000,
    "milliseconds": 1_000,
    "microseconds": 1,
    "nanoseconds": Decimal("0.001"),
}
"""The microseconds of each unit that a format can name."""
SPREADSHEET = "spreadsheet"
"""The format of days since 1899-12-30, as spreadsheets count them."""
FORMATS = (*UNITS, SPREADSHEET)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BY_DIGITS: dict[int, int | Decimal] = {10: 1_000_000, 13: 1_000, 16: 1, 19: Decimal("0.001")}
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?\Z")
_VARIANT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?)"
    r" ?(?P<zone>[Zz]|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?)?\Z"
)
_UTC_NAMES = {"Z", "z", "UTC", "GMT"}
_LEAST_MINUTES = len("2026-01-31T12:00")


@dataclass(frozen=True, slots=True)
class TimeRule:
    """How the times of a field are read.

    Attributes:
        format: One of `FORMATS`, or a pattern of `strptime` such as `%d/%m/%Y %H:%M`; empty for what is accepted
            without a declared format.
        zone: The zone of times without one; None if they are refused.
        repeated: Which of the two a local time is that exists twice; None if it is refused.
    """

    format: str = ""
    zone: tzinfo | None = None
    repeated: Repeated | None = None


@dataclass(frozen=True, slots=True)
class TimeOptions:
    """What the command line says about times: the zone of those without one, and the format. It overrides mappings."""

    zone: tzinfo | None = None
    format: str = ""


def to_zone(name: str) -> tzinfo:
    """Returns the time zone of a name such as `Europe/Berlin` or `UTC`.

    Raises:
        ValueError: There is no such zone.
    """
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise ValueError(f"{name!r} is not a time zone such as Europe/Berlin or UTC") from None


def check_format(text: str) -> str:
    """Returns a format that `TimeRule` accepts.

    Raises:
        ValueError: The text is none.
    """
    if text in FORMATS:
        return text
    try:
        if datetime.strptime(date(2026, 11, 28).strftime(text), text).year == 2026:  # noqa: DTZ007 (no zone is needed)
            return text
    except (ValueError, re.error):
        pass
    named = ", ".join(FORMATS)
    raise ValueError(f"{text!r} is not a time format: give one of {named}, or a pattern such as '%d/%m/%Y %H:%M'")


def time_reader(rule: TimeRule) -> Reader:
    """Returns the reader of a rule."""
    localise = localiser(rule.zone, rule.repeated)
    if not rule.format:
        return _undeclared(localise)
    if rule.format in UNITS:
        return _in_units(UNITS[rule.format])
    return _spreadsheet(localise) if rule.format == SPREADSHEET else _pattern(rule.format, localise)


def _undeclared(localise: Callable[[datetime], datetime]) -> Reader:
    def read(value: object) -> datetime:
        if isinstance(value, str):
            if len(value) >= _LEAST_MINUTES and value[4] == value[7] == "-" and value[10] in "T ":
                try:
                    found = datetime.fromisoformat(value)
                except ValueError:
                    return _from_text(value, localise)
                return found if found.tzinfo else localise(found)
            return _from_text(value.strip(), localise)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return _by_digits(value, value)
        return _from_date(value, localise)

    return read


def _from_text(text: str, localise: Callable[[datetime], datetime]) -> datetime:
    if _NUMBER.match(text):
        return _by_digits(Decimal(text), text)
    found = _VARIANT.match(text)
    if not found:
        raise ValueError(refusals.of_text(text))
    zone, clock = found["zone"] or "", found["time"] or "00:00"
    offset = "+00:00" if zone in _UTC_NAMES else zone
    leap_second = timedelta(seconds=clock.startswith("59:60", len("23:")))
    try:
        parsed = datetime.fromisoformat(f"{found['date']}T{clock.replace('59:60', '59:59')}{offset}") + leap_second
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{shown(text)} is not a time: {error}") from None
    return parsed if parsed.tzinfo else localise(parsed)


def _from_date(value: object, localise: Callable[[datetime], datetime]) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else localise(value)
    if isinstance(value, date):
        return localise(datetime.combine(value, time.min))
    raise ValueError(f"{_written(value)} is not a time")


def _written(value: object) -> str:
    """Returns a value as it was in the file: true, not True."""
    return shown(json.dumps(value, default=str) if isinstance(value, bool | list | dict) else str(value))


def _by_digits(number: int | Decimal, shown: object) -> datetime:
    if isinstance(number, Decimal) and refusals.has_lost_digits(number):
        raise ValueError(refusals.of_lost_digits(str(shown)))
    per = _BY_DIGITS.get(len(str(int(number)))) if number > 0 else None
    if per is None or refusals.may_be_a_date(str(int(number))):
        raise ValueError(refusals.of_number(str(shown)))
    return _since_epoch(number, per)


def _since_epoch(number: int | Decimal, per: int | Decimal) -> datetime:
    return _EPOCH + timedelta(microseconds=int(number * per))


def _to_number(value: object) -> Decimal:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    text = str(value).strip()
    if not _NUMBER.match(text):
        raise ValueError(
            refusals.of_lost_digits(text) if refusals.is_scientific(text) else f"{_written(value)} is not a number"
        )
    return Decimal(text)


def _in_units(per: int | Decimal) -> Reader:
    def read(value: object) -> datetime:
        try:
            return _since_epoch(_to_number(value), per)
        except (OverflowError, ArithmeticError):
            raise ValueError(f"{_written(value)} is after the year 9999") from None

    return read


def _spreadsheet(localise: Callable[[datetime], datetime]) -> Reader:
    # Day 60 of a spreadsheet is 29 February 1900, which did not exist; later days count from here.
    first = datetime(1899, 12, 30)  # noqa: DTZ001 (the zone is declared)

    def read(value: object) -> datetime:
        try:
            # A day's fraction has few digits, so its milliseconds are rounded.
            return localise(first + timedelta(milliseconds=round(_to_number(value) * 86_400_000)))
        except (OverflowError, ArithmeticError):
            raise ValueError(f"{_written(value)} is after the year 9999") from None

    return read


def _pattern(pattern: str, localise: Callable[[datetime], datetime]) -> Reader:
    def read(value: object) -> datetime:
        try:
            found = datetime.strptime(str(value).strip(), pattern)  # noqa: DTZ007 (the zone is declared)
        except ValueError:
            raise ValueError(f"{_written(value)} is not a time in the format {pattern!r}") from None
        return found if found.tzinfo else localise(found)

    return read
