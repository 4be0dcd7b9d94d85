"""An event of a lead, and the limits that it must keep."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

MAX_EVENTS = 1_000
"""Events in a batch."""
MAX_CHARACTERS = 256
"""Characters in an id, a type, a source, or the name of a property at any level."""
MAX_PROPERTIES = 64
"""Properties on the top level."""
MAX_VALUE_BYTES = 4_096
"""Bytes of one property's value, written as JSON in UTF-8."""
MAX_LEVELS = 8
"""Levels of nesting; a property that is a plain value is on level 1."""
MAX_AHEAD = timedelta(hours=24)
"""How far an event time may lie ahead of the clock."""
RESERVED_PREFIXES = ("decay:", "model:", "adjustment:", "retraction:")
"""Ids that begin so belong to the history entries that are no events."""

RESERVED_NAME = "$ref"
"""MongoDB's drivers read an object with this and `$id` as a reference of their own, and not as what it says.

It is refused by itself: two `identify` events, each with one of the names, would make such an object of a lead's
attributes.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidEvent(Exception):
    """An event breaks a limit. `field` is its path in the event, `str(error)` a sentence for the caller."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class EventIdConflict(Exception):
    """An event's id stands for an event with another payload."""

    field = "event_id"

    def __init__(self, event_id: str) -> None:
        super().__init__(f"event_id: {event_id!r} was used for an event with another payload; nothing was changed")


class InvalidBatch(Exception):
    """A batch has too few or too many events."""

    field = "events"

    def __init__(self, count: int) -> None:
        super().__init__(f"events: {count} in this batch, must be 1 to {MAX_EVENTS:,}")


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a lead did, or that became known of it.

    `event_time` is aware, in UTC, in whole milliseconds; None when it was not given.
    """

    event_id: str
    lead_id: str
    event_type: str
    event_time: datetime | None
    properties: Mapping[str, Any]
    source: str


def check_batch(count: int) -> None:
    """Checks how many events a batch has; it costs nothing, so it comes before all that is done for each of them.

    Raises:
        InvalidBatch: There is none, or there are more than `MAX_EVENTS`.
    """
    if not 1 <= count <= MAX_EVENTS:
        raise InvalidBatch(count)


def check_event(event: Event, now: datetime) -> None:
    """Checks an event against the limits.

    Raises:
        InvalidEvent: It breaks one; the first in the order of the fields is named.
    """
    _check_text("event_id", event.event_id)
    for prefix in RESERVED_PREFIXES:
        if event.event_id.startswith(prefix):
            raise InvalidEvent("event_id", f"begins with {prefix!r}, which is reserved")
    _check_text("lead_id", event.lead_id)
    _check_text("event_type", event.event_type)
    _check_time(event.event_time, now)
    _check_properties(event.properties)
    if event.source:
        _check_text("source", event.source)


def _check_text(field: str, text: str) -> None:
    if not text:
        raise InvalidEvent(field, "is empty")
    if len(text) > MAX_CHARACTERS:
        raise InvalidEvent(field, f"has {len(text)} characters, at most {MAX_CHARACTERS} are allowed")
    if "\0" in text:
        raise InvalidEvent(field, "contains a NUL character")


def _check_time(time: datetime | None, now: datetime) -> None:
    if time is None:
        raise InvalidEvent("event_time", "is missing")
    if time < _EPOCH:
        raise InvalidEvent("event_time", f"{time.isoformat()} is before 1970")
    if time > now + MAX_AHEAD:
        raise InvalidEvent("event_time", f"{time.isoformat()} is more than 24 hours ahead of the clock")


def _check_properties(properties: Mapping[str, Any]) -> None:
    if len(properties) > MAX_PROPERTIES:
        raise InvalidEvent("properties", f"has {len(properties)} properties, at most {MAX_PROPERTIES} are allowed")
    for key, value in properties.items():
        # One that is too long must not become part of a field's path, which answers and logs repeat.
        _check_name(f"properties.{key}" if len(key) <= MAX_CHARACTERS else "properties", key)
        _check_value(f"properties.{key}", value, 1)
        if isinstance(value, str | list | dict):
            size = len(json.dumps(value, ensure_ascii=False).encode())
            if size > MAX_VALUE_BYTES:
                raise InvalidEvent(f"properties.{key}", f"has {size} bytes as JSON, at most {MAX_VALUE_BYTES:,} may be")


def _check_name(field: str, name: str) -> None:
    if len(name) > MAX_CHARACTERS:
        raise InvalidEvent(field, f"has a name with {len(name)} characters, at most {MAX_CHARACTERS} are allowed")
    if "\0" in name:
        raise InvalidEvent(field, "has a name with a NUL character")
    if name == RESERVED_NAME:
        raise InvalidEvent(field, f"has the name {RESERVED_NAME}, which is reserved")


def _check_value(field: str, value: object, level: int) -> None:
    if level > MAX_LEVELS:
        raise InvalidEvent(field, f"is nested deeper than {MAX_LEVELS} levels")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidEvent(field, "is not a finite number")
    if isinstance(value, str) and "\0" in value:
        raise InvalidEvent(field, "contains a NUL character")
    if isinstance(value, list):
        for item in value:
            _check_value(field, item, level + 1)
    if isinstance(value, dict):
        for key, item in value.items():
            _check_name(field, key)
            _check_value(field, item, level + 1)
