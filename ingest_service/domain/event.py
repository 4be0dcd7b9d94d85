"""An event of a lead, and its validation."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from ingest_service.domain.errors import InvalidEvent
from ingest_service.domain.properties import Shortening, fitted
from ingest_service.domain.visibility import unseen

MAX_EVENTS = 1_000
"""Events per batch."""
MAX_CHARACTERS = 256
"""Characters in an id, a type or a source."""
MAX_AHEAD = timedelta(minutes=5)
"""How far an event time may be ahead of the clock."""
EARLIEST = datetime(1971, 1, 1, tzinfo=UTC)
"""Times in 1970 are those of missing values, of clocks that were never set, and of seconds read as milliseconds."""
RESERVED_PREFIXES = ("decay:", "model:", "adjustment:", "retraction:", "erased:")
"""Prefixes of the ids of history entries that are not events, and of erased events."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class InvalidBatch(Exception):
    """A batch has too few or too many events."""

    field = "events"

    def __init__(self, count: int) -> None:
        super().__init__(f"events: the batch has {count} events, must have 1 to {MAX_EVENTS:,}")


class Event(NamedTuple):
    """Something that a lead did, or that became known about it.

    Times are in UTC with millisecond precision; None if they were not given. No automation fires for an event that is
    `historical`. `sent_time` is when it was sent, by the clock of the sender. `original_time` is the event time that
    the caller gave, if `checked` has corrected it, and `shortening` what it has shortened in the properties.
    `traceparent` is the span of the call that brought it, if its trace is recorded.
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
    shortening: Shortening | None = None
    traceparent: str = ""


def check_batch(count: int) -> None:
    """Checks the size of a batch. Cheap, so it runs before any work is done for single events.

    Raises:
        InvalidBatch: The batch is empty or has more than `MAX_EVENTS` events.
    """
    if not 1 <= count <= MAX_EVENTS:
        raise InvalidBatch(count)


def checked(event: Event, now: datetime) -> Event:
    """Validates an event that was received now, and returns it as it is to be stored.

    Its time is corrected by the sent time, and properties are shortened.

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
    properties, shortening = fitted(event.properties)
    if event.source:
        _check_text("source", event.source)
    if shortening is not None:
        event = event._replace(properties=properties, shortening=shortening)
    return event if time is event.event_time else event._replace(event_time=time, original_time=event.event_time)


def warning_of(event: Event) -> str:
    """Returns a sentence about a lead id or a type that looks like another one; an empty string for most events."""
    both = event.lead_id + event.event_type
    if both.isascii() and both.isprintable() and " " not in both:
        return ""
    for field, text in (("lead_id", event.lead_id), ("event_type", event.event_type)):
        flaw = unseen(text)
        if flaw:
            return f"{field}: {flaw}, which cannot be seen; another {field} may look the same"
    return ""


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
        _check_time(time, now)
        return time
    for field, given in (("event_time", time), ("sent_time", event.sent_time)):
        if given == _EPOCH:
            raise InvalidEvent(field, "is 0, which stands for a missing time")
    try:
        corrected = time + (now - event.sent_time)
    except OverflowError:
        raise InvalidEvent("event_time", f"{time.isoformat()} is too far from the sent time") from None
    _check_time(corrected, now, ", corrected by the sent time,")
    return corrected


def _check_time(time: datetime, now: datetime, remark: str = "") -> None:
    if EARLIEST <= time <= now + MAX_AHEAD:
        return
    shown = f"{time.isoformat()}{remark}"
    if time < EARLIEST:
        raise InvalidEvent("event_time", f"{shown} is before 1971: it stands for a missing time, or has another unit")
    raise InvalidEvent("event_time", f"{shown} is more than 5 minutes ahead of the server's clock")
