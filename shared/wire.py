"""Converts protobuf's well-known types to Python values and back.

Guarantee: times are aware, in UTC, and truncated to the millisecond, the precision of BSON. Structs become plain
dictionaries and back without loss.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)


def now() -> datetime:
    """Returns the current time, truncated to the millisecond."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def to_time(timestamp: Timestamp) -> datetime:
    """Returns a time, truncated to the millisecond and clamped to the years 1 to 9999."""
    try:
        return EPOCH + timedelta(0, timestamp.seconds, timestamp.nanos // 1_000_000 * 1000)
    except OverflowError:
        return LATEST if timestamp.seconds > 0 else EARLIEST


def to_timestamp(time: datetime) -> Timestamp:
    """Returns an aware time as a timestamp."""
    since = time - EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def to_span(duration: Duration) -> timedelta:
    """Returns a duration as a timedelta, clamped to the range of timedelta."""
    try:
        return duration.ToTimedelta()
    except (OverflowError, ValueError):
        return timedelta.max if duration.seconds > 0 else timedelta.min


def to_dict(struct: Struct) -> dict[str, Any]:
    """Returns a struct as a dictionary; its numbers are floats, as on the wire."""
    fields = struct.fields  # items() of this container is written in Python, and twice as slow
    return {key: to_value(fields[key]) for key in fields}


def to_struct(values: Mapping[str, Any]) -> Struct:
    """Returns a dictionary of plain values as a struct."""
    struct = Struct()
    struct.update(dict(values))
    return struct


def from_value(value: str | float | bool) -> Value:
    """Returns a scalar as a protobuf Value."""
    if isinstance(value, bool):
        return Value(bool_value=value)
    return Value(string_value=value) if isinstance(value, str) else Value(number_value=value)


def to_value(value: Value) -> Any:  # noqa: ANN401 (any JSON value)
    """Returns a protobuf Value as a Python value."""
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return value.number_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return to_dict(value.struct_value)
        case "list_value":
            return [to_value(item) for item in value.list_value.values]
        case _:
            return None
