"""Counts and ages as people write them."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from shared import wire


def counted(count: int, singular: str, plural: str = "") -> str:
    """Returns a count with its noun, such as `1 lead` or `2,000 leads`; the plural ends in s unless it is given.

    The noun may be followed by a verb: `counted(n, "event is", "events are")`.
    """
    return f"{count:,} {singular if abs(count) == 1 else plural or f'{singular}s'}"


def age(time: Timestamp, now: datetime) -> str:
    """Returns how long ago a time is, in its largest unit, such as `3 min`."""
    seconds = max(0, int((now - wire.to_time(time)).total_seconds()))
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"
