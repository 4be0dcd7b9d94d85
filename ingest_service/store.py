"""MongoDB ⇄ events: the producer's side of the inbox `events`."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import cast

from pymongo.errors import BulkWriteError

from ingest_service.domain.errors import EventIdConflict
from ingest_service.domain.event import Event
from ingest_service.ports import PutOutcome, PutResult
from shared.contracts.events import DECLARED, EventRow, declared
from shared.inbox import heavy_keys
from shared.inbox.collection import Inbox
from shared.mongo import Document, durable, naive

MAX_HEAVY_LEADS = 10
"""Leads that `heaviest_leads` returns from each end of a partition."""

_DUPLICATE_KEY = 11000


class MongoEventStore:
    """An `EventStore` on top of the inbox. The `_id` of a row is the event id."""

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        self._inbox = inbox
        # Times are naive here, in UTC: the driver encodes aware ones so slowly that it shows in the cost of an event.
        self._rows = durable(naive(inbox.rows))
        self._clock = clock
        self.partition_of = inbox.partition_of

    async def put(self, events: Sequence[Event]) -> list[PutOutcome]:
        """Stores the events whose id is new. Returns one result per event, in order.

        Raises:
            PyMongoError: The events may or may not have been stored. Putting the same events again is safe.
        """
        accept_time = self._clock().replace(tzinfo=None)
        rows = [self._row(event, accept_time) for event in events]
        known = await self._insert(rows)
        if not known:
            return [PutResult.NEW] * len(rows)
        ids = list({rows[index]["_id"] for index in known})
        stored = {row["_id"]: row async for row in self._rows.find({"_id": {"$in": ids}}, DECLARED)}
        return [
            _compared(row, stored[row["_id"]]) if index in known else PutResult.NEW for index, row in enumerate(rows)
        ]

    async def _insert(self, rows: list[Document]) -> set[int]:
        """Inserts the rows and returns the indexes of those whose id existed already.

        The server waits for the majority even if every id existed, so a duplicate is as durable as a new event.
        """
        try:
            await self._rows.insert_many(rows, ordered=False)
        except BulkWriteError as error:
            errors = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(each["code"] != _DUPLICATE_KEY for each in errors):
                raise
            return {each["index"] for each in errors}
        return set()

    def _row(self, event: Event, accept_time: datetime) -> Document:
        time = cast("datetime", _naive(event.event_time))  # the use case has checked that it is set
        row = EventRow(
            event.event_id,
            event.lead_id,
            event.event_type,
            time,
            event.properties,
            event.source,
            event.historical,
            _naive(event.sent_time),
            _naive(event.original_time),
            event.shortening._asdict() if event.shortening else None,
        )
        return row.to_document() | self._inbox.pending_row(event.lead_id, accept_time)


async def heaviest_leads(inbox: Inbox, partition: int, sample: int, limit: int) -> Mapping[str, tuple[int, datetime]]:
    """Returns the leads with the most events among the oldest and the newest `sample` pending events of a partition.

    For each lead: the number of its pending events, counted up to `limit`, and when the oldest was accepted. Events
    that failed in isolation are ignored.
    """
    lead_ids = {
        *await heavy_keys.heaviest_keys(inbox, partition, sample, MAX_HEAVY_LEADS),
        *await heavy_keys.heaviest_new_keys(inbox, partition, sample, MAX_HEAVY_LEADS),
    }
    found = {}
    for lead_id in lead_ids:
        oldest = await inbox.pending_of(lead_id, 1, {"accept_time": 1})
        if oldest:
            found[lead_id] = await heavy_keys.count_of_key(inbox, lead_id, limit), oldest[0]["accept_time"]
    return found


async def oldest_pending(inbox: Inbox, partition: int, *, exclude_leads: Collection[str]) -> datetime | None:
    """Returns when the oldest pending event of a partition was accepted, or None if there is none.

    Events of the excluded leads, and events that failed in isolation, are ignored.
    """
    rows = await inbox.pending([partition], 1, {"accept_time": 1}, exclude_keys=exclude_leads)
    return rows[0]["accept_time"] if rows else None


def _naive(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=None)


def _compared(row: Document, stored: Document) -> PutOutcome:
    asked, found = declared(row), declared(stored)
    differing = [field for field in asked if asked[field] != found[field]]
    return EventIdConflict(row["_id"], differing) if differing else PutResult.DUPLICATE
