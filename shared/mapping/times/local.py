"""Local times: which moment a time without a zone is, in a zone that has summer time."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Literal

Repeated = Literal["first", "second"]
"""Which of the two moments is meant by a local time that exists twice, in the night when clocks are set back."""


def localiser(zone: tzinfo | None, repeated: Repeated | None) -> Callable[[datetime], datetime]:
    """Returns a function that gives a zone to times without one.

    It raises ValueError if there is no zone, if clocks were set forward over the time, or if the time exists twice and
    `repeated` does not say which of the two is meant.
    """
    if zone is None:
        return _refuse
    if zone is UTC:
        return lambda time: time.replace(tzinfo=UTC)

    def localise(time: datetime) -> datetime:
        if not 1 < time.year < 9999:
            raise ValueError(f"'{time}' is not within the years 2 to 9998")
        first, second = time.replace(tzinfo=zone, fold=0), time.replace(tzinfo=zone, fold=1)
        if first.utcoffset() == second.utcoffset():
            return first.astimezone(UTC)
        if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) != time:
            raise ValueError(f"'{time}' does not exist in {zone}: clocks were set forward over it")
        if repeated is None:
            raise ValueError(
                f"'{time}' exists twice in {zone}, with {_offset(first)} and with {_offset(second)}: "
                "add its offset, or set `repeated: first` or `second` in a mapping file"
            )
        return (first if repeated == "first" else second).astimezone(UTC)

    return localise


def _refuse(time: datetime) -> datetime:
    raise ValueError(f"'{time}' has no time zone: name one, such as --time-zone Europe/Berlin or --time-zone UTC")


def _offset(time: datetime) -> str:
    return time.isoformat()[-len("+01:00") :]
