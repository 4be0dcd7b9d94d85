"""MongoDB ⇄ events: the producer's side of the inbox `events`."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from pymongo import ASCENDING
from pymongo.errors import BulkWriteError

from ingest_service.domain.erasure import EventErased
from ingest_service.domain.errors import EventIdConflict
from ingest_service.domain.event import Event
from ingest_service.ports import PutOutcome, PutResult
from shared import mongo
from shared.contracts.erasures import ERASED_EVENTS, ERASURES, KEY_ROW, ErasureState
from shared.contracts.events import CONTRACT, DECLARED, EventRow, declared
from shared.inbox import heavy_keys
from shared.inbox.collection import Inbox
from shared.mongo import Database, Document, durable, naive
from shared.partitions import BY_ID, among
from shared.schema_versions import Schema
from shared.sharding import BY_HASH, BY_ROW, ShardKey

MAX_HEAVY_LEADS = 10
"""Leads that `heaviest_leads` returns from each end of a partition."""

SCHEMA = Schema("ingest")
SHARD_KEYS: Mapping[str, ShardKey] = {CONTRACT.collection: BY_ROW, "event_ids": BY_HASH}

_DUPLICATE_KEY = 11000


class MongoEventStore:
    """An `EventStore` on top of the inbox. The `_id` of a row is the event id.

    `resent` returns the ids of events that were erased before.
    """

    def __init__(
        self,
        inbox: Inbox,
        clock: Callable[[], datetime],
        event_ids: "EventIds | None" = None,
        resent: Callable[[Sequence[Event]], Awaitable[set[str]]] | None = None,
    ) -> None:
        self._inbox = inbox
        self._event_ids = event_ids
        self._resent = resent
        # Times are naive here, in UTC: the driver encodes aware ones so slowly that it shows in the cost of an event.
        self._rows = durable(naive(inbox.rows))
        self._clock = clock
        self.partition_of = inbox.partition_of

    async def put(self, events: Sequence[Event]) -> list[PutOutcome]:
        """Stores the events whose id is new. Returns one result per event, in order.

        Raises:
            PyMongoError: The events may or may not have been stored. Putting the same events again is safe.
        """
        erased = await self._resent(events) if self._resent else set[str]()
        if erased:
            stored = iter(await self._put([event for event in events if event.event_id not in erased]))
            return [EventErased() if event.event_id in erased else next(stored) for event in events]
        return await self._put(events)

    async def _put(self, events: Sequence[Event]) -> list[PutOutcome]:
        accept_time = self._clock().replace(tzinfo=None)
        rows = [self._row(event, accept_time) for event in events]
        taken = await self._event_ids.reserve(rows) if self._event_ids else set[int]()
        free = [index for index in range(len(rows)) if index not in taken]
        known = taken | {free[place] for place in await insert_new(self._rows, [rows[index] for index in free])}
        if not known:
            return [PutResult.NEW] * len(rows)
        stored = await self._stored([rows[index] for index in known])
        return [
            _compared(row, stored.get(row["_id"])) if index in known else PutResult.NEW
            for index, row in enumerate(rows)
        ]

    async def _stored(self, rows: Sequence[Document]) -> dict[str, Document]:
        """Returns the stored rows that have the ids of some rows, by id."""
        ids = {row["_id"] for row in rows}
        which = {"_id": {"$in": list(ids)}, **among(row["partition"] for row in rows)}
        stored = {row["_id"]: row async for row in self._rows.find(which, DECLARED, hint=BY_ID)}
        elsewhere = list(ids - stored.keys())
        if elsewhere:
            # They belong to leads of other partitions.
            stored |= {row["_id"]: row async for row in self._rows.find({"_id": {"$in": elsewhere}}, DECLARED)}
        return stored

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
            event.traceparent,
        )
        return row.to_document() | self._inbox.pending_row(event.lead_id, accept_time)


class EventIds:
    """The collection `event_ids`, which makes ids unique across all leads of a sharded database.

    There, MongoDB refuses an id for a second time within a partition only. This collection has the partition of each
    id, and is sharded by the id alone. In other databases the index of `events` by id does the same, for nothing.
    """

    def __init__(self, database: Database) -> None:
        self._ids = durable(database["event_ids"])
        self._inboxes = durable(database["inboxes"])
        self._events = database[CONTRACT.collection]

    async def begin(self) -> None:
        """Adds the ids of all stored events, and lets every server that starts from now on keep the collection."""
        stages: list[Document] = [
            {"$project": {"partition": 1}},
            {"$merge": {"into": self._ids.name, "whenMatched": "keepExisting"}},
        ]
        await self._events.aggregate(stages)
        await self._inboxes.update_one({"_id": CONTRACT.collection}, {"$set": {"event_ids": True}})

    async def are_kept(self) -> bool:
        """Returns whether servers keep the collection."""
        record = await self._inboxes.find_one({"_id": CONTRACT.collection}, {"event_ids": 1})
        return bool(record and record.get("event_ids"))

    async def reserve(self, rows: Sequence[Document]) -> set[int]:
        """Reserves the ids of rows for their partitions; returns the indexes of rows whose id belongs to another one.

        An id stays reserved if its event is not stored afterwards, because the service dies in between: sending the
        event again completes it.
        """
        owners = {row["_id"]: row["partition"] for row in reversed(rows)}  # of two rows with one id, the first counts
        reserved = [{"_id": event_id, "partition": partition} for event_id, partition in owners.items()]
        known = await insert_new(self._ids, reserved)
        if known:
            ids = [reserved[index]["_id"] for index in known]
            owners |= {row["_id"]: row["partition"] async for row in self._ids.find({"_id": {"$in": ids}})}
        return {index for index, row in enumerate(rows) if owners[row["_id"]] != row["partition"]}


class ErasureChange(NamedTuple):
    """The state of the last erasure of a lead, of whose id it has a digest."""

    lead: bytes
    state: ErasureState
    change_time: datetime


class ErasureReader:
    """Reads the erasures that the admin service has recorded."""

    def __init__(self, database: Database) -> None:
        self._deployment = database["deployment"]
        self._erasures = database[ERASURES]
        self._events = database[ERASED_EVENTS]

    async def key(self) -> bytes | None:
        """Returns the key of the digests; None if the database has none yet."""
        row = await self._deployment.find_one(KEY_ROW)
        return bytes(row["key"]) if row else None

    async def changed_since(self, time: datetime | None) -> list[ErasureChange]:
        """Returns the erasures that have changed since a time, or all of them, in the order of their changes."""
        which = {"change_time": {"$gte": time}} if time else {}
        rows = self._erasures.find(which, dict.fromkeys(ErasureChange._fields, 1)).sort("change_time", ASCENDING)
        return [ErasureChange(bytes(row["lead"]), ErasureState(row["state"]), row["change_time"]) async for row in rows]

    async def erased(self, digests: Sequence[bytes]) -> list[bytes]:
        """Returns those of the digests that are of erased events."""
        return [bytes(row["_id"]) async for row in self._events.find({"_id": {"$in": digests}})]


async def insert_new(collection: mongo.Collection, rows: Sequence[Document]) -> set[int]:
    """Inserts rows, and returns the indexes of those whose id existed already.

    The server waits for the majority even if every id existed, so a duplicate is as durable as a new row.
    """
    if not rows:
        return set()
    try:
        await collection.insert_many(rows, ordered=False)
    except BulkWriteError as error:
        errors = error.details["writeErrors"]
        if error.details["writeConcernErrors"] or any(each["code"] != _DUPLICATE_KEY for each in errors):
            raise
        return {each["index"] for each in errors}
    return set()


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


def _compared(row: Document, stored: Document | None) -> PutOutcome:
    if stored is None:
        return EventIdConflict(row["_id"], ["lead_id"])  # the id is reserved for a lead of another partition
    asked, found = declared(row), declared(stored)
    differing = [field for field in asked if asked[field] != found[field]]
    return EventIdConflict(row["_id"], differing) if differing else PutResult.DUPLICATE
