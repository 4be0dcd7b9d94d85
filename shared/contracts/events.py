"""The rows of `events`: accepted events, from the ingest service to the scoring service.

Guarantee: `EventRow.from_document` reads every version up to `CONTRACT.schema_version`; `tests/contracts/examples`
holds a document of each. The inbox adds its own fields (`partition`, `state`, `accept_time`), see
`shared.inbox.collection`.
"""

from collections.abc import Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from shared.inbox.contract import InboxContract

CONTRACT = InboxContract("events", done="scored", schema_version=2, consumer="scoring_service")

PAYLOAD = ("lead_id", "event_type", "event_time", "properties", "source")
"""Fields of every row, besides its id and its version."""
OPTIONAL = ("historical", "sent_time", "original_event_time", "shortened")
"""Fields that only rows of version 2 have, and only if they are set."""
FIELDS: dict[str, Any] = dict.fromkeys((*PAYLOAD, *OPTIONAL), 1)
"""A projection of the fields that `EventRow.from_document` reads."""
TRANSPORT_PROPERTIES = frozenset(
    {
        *("sentAt", "sent_at", "$sent_at", "sentTime", "sent_time"),
        *("receivedAt", "received_at", "receivedTime", "received_time", "server_received_time"),
        *("client_upload_time", "server_upload_time", "uploaded_at", "processed_time", "processed_at"),
        *("dvce_sent_tstamp", "collector_tstamp", "etl_tstamp", "load_tstamp", "$mp_processing_time_ms"),
    }
)
"""Properties with which analytics tools say when a message travelled; they differ whenever it is sent again."""


class EventRow(NamedTuple):
    """An accepted event.

    `event_id` is the client's idempotency key and the `_id` of the document. `event_time` is when the event happened
    (UTC, milliseconds), `properties` a JSON object, `source` where the event came from (may be empty). No automation
    fires for an event that is `historical`. `sent_time` is when it was sent, by the clock of the sender. If the error
    of that clock was corrected in `event_time`, `original_event_time` is the time that the client gave. If properties
    were too large, `shortened` has the names of those with cut texts (`cut`) and how many were left out (`left_out`).
    """

    event_id: str
    lead_id: str
    event_type: str
    event_time: datetime
    properties: Mapping[str, Any]
    source: str
    historical: bool = False
    sent_time: datetime | None = None
    original_event_time: datetime | None = None
    shortened: Mapping[str, Any] | None = None

    def to_document(self) -> dict[str, Any]:
        """Returns the row in the newest version, without the fields of the inbox."""
        document = {
            "_id": self.event_id,
            "schema_version": CONTRACT.schema_version,
            "lead_id": self.lead_id,
            "event_type": self.event_type,
            "event_time": self.event_time,
            "properties": self.properties,
            "source": self.source,
        }
        if self.historical:
            document["historical"] = True
        if self.sent_time is not None:
            document["sent_time"] = self.sent_time
        if self.original_event_time is not None:
            document["original_event_time"] = self.original_event_time
        if self.shortened is not None:
            document["shortened"] = self.shortened
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "EventRow":
        """Returns the row that a document holds."""
        get = document.get
        optional = get("historical", False), get("sent_time"), get("original_event_time"), get("shortened")
        return cls._make((*_VALUES(document), *optional))


def declared(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the client declares the event of a row to be, by field.

    Two events with one id are the same event if these are equal. Not part of it: when the event was sent and received,
    whether it is historical, and the properties that only say how the message travelled.
    """
    found = {field: document[field] for field in PAYLOAD}
    found["event_time"] = document.get("original_event_time", found["event_time"])
    properties = found["properties"]
    if not TRANSPORT_PROPERTIES.isdisjoint(properties):
        found["properties"] = {name: properties[name] for name in properties if name not in TRANSPORT_PROPERTIES}
    return found


_VALUES = itemgetter("_id", *PAYLOAD)
