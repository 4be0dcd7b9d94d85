"""Parsing the event times that files contain: RFC 3339, or a number of seconds or milliseconds since 1970."""

from datetime import UTC, datetime

MIN_MILLISECONDS = 100_000_000_000
"""Numbers from here on are milliseconds since 1970, smaller ones seconds: as milliseconds 1973, as seconds 5138."""


def to_time(value: object) -> datetime:
    """Returns a time given in RFC 3339 (UTC if it has no zone), or in seconds or milliseconds since 1970.

    Raises:
        ValueError: It is neither, or it is a text of eight digits, which is ambiguous.
    """
    if isinstance(value, str):
        if _may_be_a_date(value):
            raise ValueError(f"{value!r} is not a time: write a date as 2026-01-31, or seconds as 20260131.0")
        try:
            return _from_number(float(value))
        except ValueError:
            return _from_text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is not a time")  # noqa: TRY004 (a mistake in the data, not in the program)
    return _from_number(value)


def _may_be_a_date(text: str) -> bool:
    # 20260131 is a date in ISO's basic format. Read as seconds, it would silently become a day in 1970.
    digits = text.strip().replace("_", "")
    return len(digits) == len("20260131") and digits.isdigit()


def _from_number(number: float) -> datetime:
    try:
        return datetime.fromtimestamp(number / 1000 if abs(number) >= MIN_MILLISECONDS else number, UTC)
    except (OverflowError, ValueError, OSError):
        raise ValueError(f"{number!r} is not a time") from None


def _from_text(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time such as 2026-01-31T12:00:00Z") from None
