"""An event of a lead, and its validation."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

MAX_EVENTS = 1_000
"""Events per batch."""
MAX_CHARACTERS = 256
"""Characters in an id, a type, a source, or a property name at any level."""
MAX_PROPERTIES = 64
"""Top-level properties."""
MAX_VALUE_BYTES = 4_096
"""Bytes of the value of a top-level property, as UTF-8 JSON."""
MAX_LEVELS = 8
"""Levels of nesting; a scalar property is at level 1."""
MAX_AHEAD = timedelta(minutes=5)
"""How far an event time may be ahead of the clock."""
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
"""Times in 1970 are those of missing values, of clocks that were never set, and of seconds read as milliseconds."""
RESERVED_PREFIXES = ("decay:", "model:", "adjustment:", "retraction:")
"""Prefixes of the ids of history entries that are not events."""

RESERVED_NAME = "$ref"
"""MongoDB drivers decode an object with the keys `$ref` and `$id` as a database reference.

`$ref` is refused even without `$id`, because two `identify` events, each with one of the keys, would combine to such an
object in the lead's attributes.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidEvent(Exception):
    """An event is invalid. `field` is the path of the invalid field, `str(error)` a message for the caller."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class EventIdConflict(Exception):
    """The event id belongs to another event. `differing_fields` are the fields that make it another one."""

    field = "event_id"

    def __init__(self, event_id: str, differing_fields: Sequence[str]) -> None:
        names = ", ".join(differing_fields)
        # The names come first, because the end of a long message is cut.
        super().__init__(f"event_id: differs in {names} from the event stored as {event_id!r}; nothing was changed")
        self.differing_fields = tuple(differing_fields)
        self.metadata = {"differing_fields": ",".join(differing_fields)}


class InvalidBatch(Exception):
    """A batch has too few or too many events."""

    field = "events"

    def __init__(self, count: int) -> None:
        super().__init__(f"events: the batch has {count} events, must have 1 to {MAX_EVENTS:,}")


class Event(NamedTuple):
    """Something that a lead did, or that became known about it.

    Times are in UTC with millisecond precision; None if they were not given. No automation fires for an event that is
    `historical`. `sent_time` is when it was sent, by the clock of the sender. `original_time` is the event time that
    the caller gave, if `checked` has corrected it.
    """

    event_id: str
    lead_id: str
    event_type: str
    event_time: datetime | None
    properties: Mapping[str, Any]
    source: str
    historical: bool = False
    sent_time: datetime | None = None
    original_time: datetime | None = None


def check_batch(count: int) -> None:
    """Checks the size of a batch. Cheap, so it runs before any work is done for single events.

    Raises:
        InvalidBatch: The batch is empty or has more than `MAX_EVENTS` events.
    """
    if not 1 <= count <= MAX_EVENTS:
        raise InvalidBatch(count)


def checked(event: Event, now: datetime) -> Event:
    """Validates an event that was received now, and returns it as it is to be stored: with its time corrected.

    Raises:
        InvalidEvent: A field is invalid; reports the first one in the order of the fields.
    """
    _check_text("event_id", event.event_id)
    if event.event_id.startswith(RESERVED_PREFIXES):
        prefix = event.event_id.partition(":")[0]
        raise InvalidEvent("event_id", f"starts with '{prefix}:', which is reserved")
    _check_text("lead_id", event.lead_id)
    _check_text("event_type", event.event_type)
    time = _time_of(event, now)
    _check_properties(event.properties)
    if event.source:
        _check_text("source", event.source)
    return event if time is event.event_time else event._replace(event_time=time, original_time=event.event_time)


def _check_text(field: str, text: str) -> None:
    if not text:
        raise InvalidEvent(field, "is empty")
    if len(text) > MAX_CHARACTERS:
        raise InvalidEvent(field, f"has {len(text)} characters, at most {MAX_CHARACTERS} are allowed")
    if "\0" in text:
        raise InvalidEvent(field, "contains a NUL character")


def _time_of(event: Event, now: datetime) -> datetime:
    """Returns when the event happened, by the clock of the service.

    A request arrives when it is sent, so the difference between the two clocks is the error of the sender's. A
    historical event was sent to somebody else, long before: its sent time says nothing about our clock.
    """
    time = event.event_time
    if time is None:
        raise InvalidEvent("event_time", "is missing")
    if event.sent_time is None or event.historical:
        _check_time(time, now, f"{time.isoformat()}")
        return time
    for field, given in (("event_time", time), ("sent_time", event.sent_time)):
        if given == _EPOCH:
            raise InvalidEvent(field, "is 0, which stands for a missing time")
    try:
        corrected = time + (now - event.sent_time)
    except OverflowError:
        raise InvalidEvent("event_time", f"{time.isoformat()} is too far from the sent time") from None
    _check_time(corrected, now, f"{time.isoformat()}, corrected by the sent time to {corrected.isoformat()},")
    return corrected


def _check_time(time: datetime, now: datetime, described: str) -> None:
    if time < EARLIEST:
        raise InvalidEvent("event_time", f"{described} is before 1971: the time is missing or has another unit")
    if time > now + MAX_AHEAD:
        raise InvalidEvent("event_time", f"{described} is more than 5 minutes ahead of the clock of the service")


def _check_properties(properties: Mapping[str, Any]) -> None:
    if len(properties) > MAX_PROPERTIES:
        raise InvalidEvent("properties", f"has {len(properties)} properties, at most {MAX_PROPERTIES} are allowed")
    for key, value in properties.items():
        _check_name(key, key)
        _check_value(key, value, 1)
        _check_size(key, value)


def _check_size(key: str, value: object) -> None:
    if isinstance(value, str):
        if len(value) <= MAX_VALUE_BYTES // 8:
            return  # as JSON, no character takes more than 6 bytes
    elif not isinstance(value, (list, dict)):
        return
    size = len(json.dumps(value, ensure_ascii=False).encode())
    if size > MAX_VALUE_BYTES:
        raise _invalid_property(key, f"has {size} bytes as JSON, at most {MAX_VALUE_BYTES:,} are allowed")


def _check_name(key: str, name: str) -> None:
    if len(name) > MAX_CHARACTERS:
        raise _invalid_property(key, f"has a name with {len(name)} characters, at most {MAX_CHARACTERS} are allowed")
    if "\0" in name:
        raise _invalid_property(key, "has a name with a NUL character")
    if name == RESERVED_NAME:
        raise _invalid_property(key, f"has the name {RESERVED_NAME}, which is reserved")


def _check_value(key: str, value: object, level: int) -> None:
    """Checks a value at some level of the property `key`."""
    if level > MAX_LEVELS:
        raise _invalid_property(key, f"is nested deeper than {MAX_LEVELS} levels")
    if isinstance(value, str):
        if "\0" in value:
            raise _invalid_property(key, "contains a NUL character")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _invalid_property(key, "is not a finite number")
    elif isinstance(value, list):
        for item in value:
            _check_value(key, item, level + 1)
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_name(key, name)
            _check_value(key, item, level + 1)


def _invalid_property(key: str, message: str) -> InvalidEvent:
    # Keep long names out of the field path, which appears in responses and logs.
    return InvalidEvent(f"properties.{key}" if len(key) <= MAX_CHARACTERS else "properties", message)
