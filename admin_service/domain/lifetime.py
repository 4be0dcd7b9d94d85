"""How long keys live when one takes the place of another."""

from datetime import datetime, timedelta

DEFAULT_OVERLAP = timedelta(hours=24)
"""For how long a key can still be used after another has taken its place."""


def renewed_expiry(create_time: datetime, expire_time: datetime | None, now: datetime) -> datetime | None:
    """Returns when a new key expires, so that it lives as long as the old one was made to live; None means never."""
    return None if expire_time is None else now + (expire_time - create_time)


def end_of_overlap(expire_time: datetime | None, now: datetime, overlap: timedelta) -> datetime:
    """Returns when the old key expires: after the overlap, but never later than before."""
    end = now + overlap
    return end if expire_time is None else min(end, expire_time)
