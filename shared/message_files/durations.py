"""Reads and writes durations as people write them: `7d`, `1d12h`, `90m`, `0.5s`.

Guarantee: every duration that protobuf allows has one text, which reads back as the same duration, to the nanosecond.
"""

import re

from google.protobuf.duration_pb2 import Duration

EXAMPLE = "7d, 1d12h, 90m or 10s"

_SECOND = 1_000_000_000
_UNITS = {"d": 86_400 * _SECOND, "h": 3_600 * _SECOND, "m": 60 * _SECOND}
_LONGEST = 315_576_000_000 * _SECOND
_SPAN = re.compile(
    r"(?P<sign>-?)(?=[0-9])"
    r"(?:(?P<d>[0-9]{1,12})d)?(?:(?P<h>[0-9]{1,12})h)?(?:(?P<m>[0-9]{1,12})m)?"
    r"(?:(?P<s>[0-9]{1,12})(?:\.(?P<fraction>[0-9]{1,9}))?s)?"
)


def to_duration(text: str) -> Duration:
    """Returns a duration from its text: days, hours, minutes and seconds in this order, each at most once.

    Raises:
        ValueError: The text is not a duration, or is longer than 10,000 years.
    """
    found = _SPAN.fullmatch(text)
    if not found:
        raise ValueError(f"is not a duration such as {EXAMPLE}")
    whole = sum(int(found[unit] or 0) * size for unit, size in _UNITS.items())
    whole += int(found["s"] or 0) * _SECOND + int((found["fraction"] or "").ljust(9, "0"))
    if whole > _LONGEST:
        raise ValueError("is longer than 10,000 years")
    # In protobuf, both parts carry the sign.
    sign = -1 if found["sign"] else 1
    return Duration(seconds=sign * (whole // _SECOND), nanos=sign * (whole % _SECOND))


def to_text(duration: Duration) -> str:
    """Returns the text of a duration, in the largest units: `1d12h` for 36 hours, `0s` for zero."""
    whole = duration.seconds * _SECOND + duration.nanos
    rest, text = abs(whole), "-" if whole < 0 else ""
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    seconds, nanos = divmod(rest, _SECOND)
    if nanos:
        return f"{text}{seconds}.{nanos:09}".rstrip("0") + "s"
    return f"{text}{seconds}s" if seconds or not whole else text
