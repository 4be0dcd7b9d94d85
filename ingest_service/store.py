"""MongoDB ⇄ events: the producer's side of the inbox `events`."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import cast

from pymongo.errors import BulkWriteError

from ingest_service.domain.event import Event
from ingest_service.ports import Stored
from shared.contracts.events import PAYLOAD, EventRow
from shared.inbox.collection import Inbox
from shared.mongo import Document, durable

HEAVIEST = 10
"""Leads with the most events that wait, of one look at a partition."""

_DUPLICATE_KEY = 11000


class MongoEventStore:
    """An `EventStore` over the inbox; a row's `_id` is the event's id."""

    def __init__(self, inbox: Inbox, clock: Callable[[], datetime]) -> None:
        self._inbox = inbox
        self._clock = clock

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition that the events of a lead wait in."""
        return self._inbox.partition_of(lead_id)

    async def put(self, events: Sequence[Event]) -> list[Stored]:
        """Stores the events whose id is new and tells for each whether it was; see `EventStore`.

        Raises:
            PyMongoError: The outcome is unknown; putting the same events again is safe.
        """
        accept_time = self._clock()
        rows = [self._row(event, accept_time) for event in events]
        known = await self._insert(rows)
        if not known:
            return [Stored.NEW] * len(rows)
        ids = list({rows[index]["_id"] for index in known})
        found = {
            row["_id"]: row async for row in self._inbox.rows.find({"_id": {"$in": ids}}, dict.fromkeys(PAYLOAD, 1))
        }
        return [
            (Stored.SAME if _same(row, found[row["_id"]]) else Stored.OTHER) if index in known else Stored.NEW
            for index, row in enumerate(rows)
        ]

    async def _insert(self, rows: list[Document]) -> set[int]:
        """Inserts the rows and returns the indexes of those whose id was there already.

        The server waits for the majority even when every id was there, so a duplicate is as durable as a new event.
        """
        try:
            await durable(self._inbox.rows).insert_many(rows, ordered=False)
        except BulkWriteError as error:
            faults = error.details["writeErrors"]
            if error.details["writeConcernErrors"] or any(fault["code"] != _DUPLICATE_KEY for fault in faults):
                raise
            return {fault["index"] for fault in faults}
        return set()

    def _row(self, event: Event, accept_time: datetime) -> Document:
        time = cast("datetime", event.event_time)  # the use case has checked that there is one
        row = EventRow(event.event_id, event.lead_id, event.event_type, time, event.properties, event.source)
        return row.to_document() | self._inbox.pending_row(event.lead_id, accept_time)


class MongoWaiting:
    """`Waiting` over the inbox; every query is bounded and runs on an index."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def oldest(self) -> Mapping[int, datetime]:
        """Returns, per partition in which events wait, when the oldest was accepted."""
        return await self._inbox.waiting()

    async def count(self, partition: int | None, limit: int) -> int:
        """Returns how many events wait, in one partition or in all, counting no further than `limit`."""
        return await self._inbox.count_up_to(limit, partition=partition)

    async def heaviest(self, partition: int, sample: int, limit: int) -> Mapping[str, tuple[int, datetime]]:
        """Returns the leads with the most events of a partition; see `Waiting`."""
        lead_ids = {
            *await self._inbox.heaviest_keys(partition, sample, HEAVIEST),
            *await self._inbox.heaviest_new_keys(partition, sample, HEAVIEST),
        }
        found = {}
        for lead_id in lead_ids:
            oldest = await self._inbox.pending_of(lead_id, 1, {"accept_time": 1})
            if oldest:
                found[lead_id] = await self._inbox.count_up_to(limit, key=lead_id), oldest[0]["accept_time"]
        return found

    async def oldest_of_others(self, partition: int, lead_ids: Collection[str]) -> datetime | None:
        """Returns when the oldest event of a partition was accepted, without those of some leads; see `Waiting`."""
        rows = await self._inbox.pending([partition], 1, {"accept_time": 1}, exclude_keys=lead_ids)
        return rows[0]["accept_time"] if rows else None


def _same(row: Document, other: Document) -> bool:
    return _written(row) == _written(other)


def _written(row: Document) -> str:
    # To Python 1.0 and True are equal; written down they are not.
    return json.dumps([row[field] for field in PAYLOAD], sort_keys=True, default=str)
