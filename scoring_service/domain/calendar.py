"""Dates in a time zone, and the instants at which they begin."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = timedelta(days=1)
_FINGERPRINT_YEARS = range(1970, 2101)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Dates in a time zone. The decay tick of a date falls on the instant at which the date begins there."""

    zone: ZoneInfo

    def date_of(self, time: datetime) -> date:
        """Returns the date on which a time falls."""
        return time.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """Returns the instant at which a date begins, in UTC."""
        return _midnight(self.zone, day)

    def first_midnight(self, time: datetime) -> date:
        """Returns the first date that begins at a time or after it."""
        day = self.date_of(time)
        return day if self.midnight(day) >= time else day + DAY

    def fingerprint(self) -> str:
        """Returns a digest of every midnight from 1970 to 2100.

        Two versions of the time zone data that differ in one of them can give a lead different scores.
        """
        return _fingerprint(self.zone)


def zone(name: str) -> ZoneInfo:
    """Returns the time zone of an IANA name such as `Europe/Berlin`.

    Raises:
        ValueError: There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"{name!r} is not a time zone: use an IANA name such as UTC or Europe/Berlin") from None


@lru_cache(maxsize=8)
def _fingerprint(zone: ZoneInfo) -> str:
    # It takes a tenth of a second, and every process of the scoring service asks for it more than once.
    digest = hashlib.blake2b(digest_size=6)
    day, end = date(_FINGERPRINT_YEARS.start, 1, 1), date(_FINGERPRINT_YEARS.stop, 1, 1)
    while day < end:
        midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
        digest.update(int(midnight.timestamp()).to_bytes(5, "big", signed=True))
        day += DAY
    return digest.hexdigest()


@lru_cache(maxsize=4_096)
def _midnight(zone: ZoneInfo, day: date) -> datetime:
    # A decay run asks for the same few dates for every lead.
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
