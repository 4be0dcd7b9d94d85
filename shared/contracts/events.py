"""The rows of `events`: accepted events, from the ingest service to the scoring service.

Guarantee: `EventRow.from_document` reads every version up to `CONTRACT.schema_version`; `tests/contracts/examples`
holds a document of each. The inbox adds its own fields (`partition`, `state`, `accept_time`), see
`shared.inbox.collection`.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from shared.inbox.contract import InboxContract

CONTRACT = InboxContract(
    "events", done="scored", schema_version=1, consumer="scoring_service", cleared=("properties", "traceparent")
)
"""The history keeps the properties of a scored event, so its row need not. Its trace goes on in its change."""

PAYLOAD = ("lead_id", "event_type", "event_time", "properties", "source")
"""Fields of every row, besides its id and its version."""
OPTIONAL = ("historical", "sent_time", "original_event_time", "shortened", "traceparent")
"""Fields that a row has only if they are set."""
FIELDS: dict[str, Any] = dict.fromkeys((*PAYLOAD, *OPTIONAL), 1)
"""A projection of the fields that `EventRow.from_document` reads."""
DECLARED: dict[str, Any] = dict.fromkeys(
    ("lead_id", "event_type", "event_time", "original_event_time", "digest", "source"), 1
)
"""A projection of the fields that `declared` reads."""
TRANSPORT_PROPERTIES = frozenset(
    {
        *("sentAt", "sent_at", "$sent_at", "sentTime", "sent_time"),
        *("receivedAt", "received_at", "receivedTime", "received_time", "server_received_time"),
        *("client_upload_time", "server_upload_time", "uploaded_at", "processed_time", "processed_at"),
        *("dvce_sent_tstamp", "collector_tstamp", "etl_tstamp", "load_tstamp", "$mp_processing_time_ms"),
    }
)
"""Properties in which analytics tools record when a message travelled; they differ whenever it is sent again."""


class EventRow(NamedTuple):
    """An accepted event.

    `event_id` is the client's idempotency key and the `_id` of the document. `event_time` is when the event happened
    (UTC, milliseconds), `properties` a JSON object, `source` where the event came from (may be empty). No automation
    fires for an event that is `historical`. `sent_time` is when it was sent, by the clock of the sender. If the error
    of that clock was corrected in `event_time`, `original_event_time` is the time that the client gave. If properties
    were too large, `shortened` has the names of those whose text was cut (`cut`) and the number of those left out
    (`left_out`). `traceparent` is the span of the call that brought it, if its trace is recorded (`shared.traces`).
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
    traceparent: str = ""

    def to_document(self) -> dict[str, Any]:
        """Returns the row in the newest version, without the fields of the inbox."""
        document = {
            "_id": self.event_id,
            "schema_version": CONTRACT.schema_version,
            "lead_id": self.lead_id,
            "event_type": self.event_type,
            "event_time": self.event_time,
            "properties": self.properties,
            "digest": digest_of(self.properties),
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
        if self.traceparent:
            document["traceparent"] = self.traceparent
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "EventRow":
        """Returns the row that a document holds."""
        get = document.get
        sent, original, shortened = get("sent_time"), get("original_event_time"), get("shortened")
        optional = get("historical", False), sent, original, shortened, get("traceparent", "")
        return cls._make((*_VALUES(document), *optional))


def declared(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the client declares the event of a row to be, by field.

    Two events with one id are the same event if these are equal. Not part of it: when the event was sent and received,
    whether it is historical, and the properties that only say how the message travelled. A digest stands for the
    properties, which the row of a scored event no longer has.
    """
    return {
        "lead_id": document["lead_id"],
        "event_type": document["event_type"],
        "event_time": document.get("original_event_time", document["event_time"]),
        "properties": document["digest"],
        "source": document["source"],
    }


def digest_of(properties: Mapping[str, Any]) -> bytes:
    """Returns the digest, 16 bytes, of all properties except those in `TRANSPORT_PROPERTIES`.

    Numbers of different types have different digests: 1, 1.0 and true are three values.
    """
    if not TRANSPORT_PROPERTIES.isdisjoint(properties):
        properties = {name: properties[name] for name in properties if name not in TRANSPORT_PROPERTIES}
    return hashlib.blake2b(_ENCODER.encode(properties), digest_size=16).digest()


_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=repr)  # a damaged row has a digest, too
_VALUES = itemgetter("_id", *PAYLOAD)
