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
"""What the client sent. Two events with one id are the same event if these fields are equal."""
OPTIONAL = ("historical", "sent_time")
"""Fields that only rows of version 2 have, and only if they are set."""
FIELDS: dict[str, Any] = dict.fromkeys((*PAYLOAD, *OPTIONAL), 1)
"""A projection of the fields that `EventRow.from_document` reads."""


class EventRow(NamedTuple):
    """An accepted event.

    `event_id` is the client's idempotency key and the `_id` of the document. `event_time` is when the event happened
    (UTC, milliseconds), `properties` a JSON object, `source` where the event came from (may be empty). No automation
    fires for an event that is `historical`. `sent_time` is when it was sent, by the clock of the sender.
    """

    event_id: str
    lead_id: str
    event_type: str
    event_time: datetime
    properties: Mapping[str, Any]
    source: str
    historical: bool = False
    sent_time: datetime | None = None

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
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "EventRow":
        """Returns the row that a document holds."""
        return cls._make((*_VALUES(document), document.get("historical", False), document.get("sent_time")))


_VALUES = itemgetter("_id", *PAYLOAD)
