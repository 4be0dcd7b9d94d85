"""Protobuf's well-known types ⇄ Python values.

Guarantee: times are aware, in UTC, and cut to the millisecond, which is what BSON keeps; structures become plain
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
    """Returns the time, cut to the millisecond."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


def to_time(timestamp: Timestamp) -> datetime:
    """Returns a timestamp cut to the millisecond; one outside the years 1 to 9999 becomes the nearest time within."""
    try:
        return EPOCH + timedelta(seconds=timestamp.seconds, milliseconds=timestamp.nanos // 1_000_000)
    except OverflowError:
        return LATEST if timestamp.seconds > 0 else EARLIEST


def to_timestamp(time: datetime) -> Timestamp:
    """Returns an aware time as a timestamp."""
    since = time - EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def to_span(duration: Duration) -> timedelta:
    """Returns a duration; one that no timedelta can hold becomes the nearest that there is."""
    try:
        return duration.ToTimedelta()
    except (OverflowError, ValueError):
        return timedelta.max if duration.seconds > 0 else timedelta.min


def to_dict(struct: Struct) -> dict[str, Any]:
    """Returns a structure as a dictionary; its numbers are floats, as on the wire."""
    return {key: to_value(value) for key, value in struct.fields.items()}


def to_struct(values: Mapping[str, Any]) -> Struct:
    """Returns a dictionary of plain values as a structure."""
    struct = Struct()
    struct.update(dict(values))
    return struct


def from_value(value: str | float | bool) -> Value:
    """Returns a scalar as a value."""
    if isinstance(value, bool):
        return Value(bool_value=value)
    return Value(string_value=value) if isinstance(value, str) else Value(number_value=value)


def to_value(value: Value) -> Any:  # noqa: ANN401 (any JSON value)
    """Returns a value as Python has it."""
    match value.WhichOneof("kind"):
        case "number_value":
            return value.number_value
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case "struct_value":
            return to_dict(value.struct_value)
        case "list_value":
            return [to_value(item) for item in value.list_value.values]
        case _:
            return None
