"""Builds events from Python values."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.client.errors import InvalidArgument
from leadscore.ingest.v1 import ingest_pb2

IDENTIFY = "identify"
"""The type of the event that sets attributes of a lead."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """An acknowledged event. `duplicate` is set if the server had already stored the event."""

    event_id: str
    duplicate: bool


def build_event(
    lead_id: str,
    event_type: str,
    *,
    properties: Mapping[str, Any] | None = None,
    event_id: str | None = None,
    event_time: datetime | None = None,
    source: str = "",
    historical: bool = False,
) -> ingest_pb2.Event:
    """Returns an event. By default, its id is random and its time is now. No automation fires for historical events.

    Raises:
        InvalidArgument: `event_time` has no time zone, or `properties` cannot be represented as JSON.
    """
    event = ingest_pb2.Event(
        event_id=event_id or str(uuid.uuid4()),
        lead_id=lead_id,
        event_type=event_type,
        event_time=timestamp(event_time or datetime.now(UTC), field="event_time"),
        source=source,
        historical=historical,
    )
    try:
        event.properties.update(dict(properties or {}))
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"properties: {error}", field="properties", event_id=event.event_id) from error
    return event


def timestamp(time: datetime, *, field: str) -> Timestamp:
    """Returns a time as a protobuf timestamp.

    Raises:
        InvalidArgument: The time has no time zone.
    """
    if time.tzinfo is None:
        raise InvalidArgument(f"{field} has no time zone", field=field)
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
