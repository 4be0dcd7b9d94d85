"""Why a value is not read as a time, and which option would read it."""

import re
from datetime import datetime
from decimal import Decimal

from shared.message_files.scalars import shown

_LAYOUTS = {4: "%Y", 6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_YEARS = range(1990, 2100)
_SPREADSHEET_DAYS = (20_000, 80_000)
"""The days that a spreadsheet gives to 1954 and 2119."""
_SCIENTIFIC = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]+\Z")
_REGIONAL = re.compile(
    r"(?P<first>[0-9]{1,2})(?P<mark>[/.-])(?P<second>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4})"
    r"(?:(?P<gap>,? )(?P<hour>[0-9]{1,2}:[0-9]{2})(?P<seconds>:[0-9]{2})?(?P<half> ?[AaPp][Mm])?)?\Z"
)
_WITH_MONTH = re.compile(
    r"(?P<first>[0-9]{1,2} )?(?P<month>[A-Za-z]{3,9}) (?P<day>[0-9]{1,2}, )?(?P<year>[0-9]{4})"
    r"(?:(?P<gap>,? )(?P<hour>[0-9]{1,2}:[0-9]{2})(?P<seconds>:[0-9]{2})?(?P<half> ?[AaPp][Mm])?)?\Z"
)


def has_lost_digits(number: Decimal) -> bool:
    """Returns whether a number was written with an exponent that hides its last digits, such as 1.79519E+12."""
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent > 0


def is_scientific(text: str) -> bool:
    """Returns whether a text is a number with an exponent."""
    return bool(_SCIENTIFIC.match(text))


def may_be_a_date(digits: str) -> bool:
    """Returns whether digits may also be a date or a time without its marks, such as 2026112014."""
    layout = _LAYOUTS.get(len(digits))
    if layout is None:
        return False
    try:
        return datetime.strptime(digits, layout).year in _YEARS  # noqa: DTZ007 (only its year is read)
    except ValueError:
        return False


def of_lost_digits(text: str) -> str:
    """Returns the refusal of a number with an exponent."""
    return f"{shown(text)} has lost digits: export it again as text, or as a number without an exponent"


def of_number(text: str) -> str:
    """Returns the refusal of a number whose unit cannot be told."""
    whole, text = text.partition(".")[0], shown(text).strip("'")
    if may_be_a_date(whole):
        return f"{text} may be a date: read it with --time-format {_LAYOUTS[len(whole)]!r}"
    if whole.isdigit() and _SPREADSHEET_DAYS[0] <= int(whole) <= _SPREADSHEET_DAYS[1]:
        return f"{text} may be a spreadsheet's date: read it with --time-format spreadsheet"
    return (
        f"{text} is not a time: seconds since 1970 have 10 digits, milliseconds 13, microseconds 16, nanoseconds 19; "
        "for other numbers, name the unit, such as --time-format seconds"
    )


def of_text(text: str) -> str:
    """Returns the refusal of a text."""
    if is_scientific(text):
        return of_lost_digits(text)
    patterns = _patterns(text)
    if not patterns:
        return f"{shown(text)} is not a time such as 2026-01-31T12:00:00Z: name its format with --time-format"
    if len(patterns) == 2:
        day_first, month_first = patterns
        return f"{shown(text)} may begin with day or month: use --time-format {day_first!r} or {month_first!r}"
    return f"{shown(text)} is not a time such as 2026-01-31T12:00:00Z: read it with --time-format {patterns[0]!r}"


def _patterns(text: str) -> list[str]:
    """Returns the patterns of `strptime` that would read a text; two if its day and its month cannot be told apart."""
    if found := _REGIONAL.match(text):
        orders = [order for order, month in (("dm", "second"), ("md", "first")) if int(found[month]) <= 12]
        return [found["mark"].join(f"%{part}" for part in (*order, "Y")) + _clock(found) for order in orders]
    if (found := _WITH_MONTH.match(text)) and bool(found["first"]) != bool(found["day"]):
        month = "%b" if len(found["month"]) == 3 else "%B"
        return [(f"%d {month} %Y" if found["first"] else f"{month} %d, %Y") + _clock(found)]
    return []


def _clock(found: re.Match[str]) -> str:
    if not found["hour"]:
        return ""
    hour, half = ("%I", found["half"].replace(found["half"].strip(), "%p")) if found["half"] else ("%H", "")
    return f"{found['gap']}{hour}:%M{':%S' if found['seconds'] else ''}{half}"
