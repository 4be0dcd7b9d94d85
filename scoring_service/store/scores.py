"""The writing side: one transaction appends entries, stores states, marks events and tells automation."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar

from pymongo import ASCENDING, ReplaceOne

from scoring_service.domain.history import Entry, Lead
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Mode, Timeline
from scoring_service.ports import Batch, Commit, Partition
from scoring_service.store import documents
from scoring_service.store.models import MongoModels
from shared import mongo
from shared.inbox import PENDING, Inbox
from shared.mongo import Database, Document
from shared.parking import DISCARDED, PARKED, discard_fields

_EVENT_FIELDS = dict.fromkeys(("lead_id", "partition", "event_type", "event_time", "properties"), 1)
_FACTS = {"kind": {"$in": ["EVENT", "ADJUSTMENT", "RETRACTION"]}}
T = TypeVar("T")


class MongoScores:
    """`Scores` over MongoDB."""

    def __init__(
        self, database: Database, models: MongoModels, events: Inbox, changes: Inbox, *, transaction_seconds: float
    ) -> None:
        self._database = database
        self._models = models
        self._events = events
        self._changes = changes
        self._seconds = transaction_seconds

    def partition_of(self, lead_id: str) -> int:
        """Returns the partition of a lead."""
        return self._events.partition_of(lead_id)

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction; see `Scores`."""
        return await mongo.transact(self._database, body, seconds=self._seconds)

    async def waiting(self, partitions: Sequence[int], most: int, ids: Sequence[str] | None = None) -> Batch:
        """Returns the oldest events that wait in some partitions; see `Scores`."""
        rows = await self._events.pending(partitions, most, _EVENT_FIELDS, ids=ids)
        events: dict[str, list[Event]] = defaultdict(list)
        for row in rows:
            events[row["lead_id"]].append(documents.read_event(row))
        return Batch(events, {row["lead_id"]: row["partition"] for row in rows}, rows)

    async def mark(self, batch: Batch) -> None:
        """Marks the events of a batch as scored."""
        await self._events.mark(batch.rows)

    async def begin(self, partitions: Iterable[int], through: date | None = None) -> dict[int, Partition]:
        """Takes partitions for this transaction; see `Scores`.

        The write is what makes two transactions over one partition, whatever they do, meet as a conflict.
        """
        rows = self._database["scoring_partitions"]
        which = {"_id": {"$in": sorted(partitions)}}
        update: Document = {"$inc": {"transactions": 1}}
        if through is not None:
            update["$max"] = {"through": through.isoformat()}
        await rows.update_many(which, update)
        found = rows.find(which, {"through": 1, "publication": 1})
        return {row["_id"]: Partition(documents.read_date(row["through"]), row["publication"]) async for row in found}

    async def timeline(self, publication: int) -> Timeline:
        """Returns the timeline up to a publication."""
        return await self._models.timeline(publication)

    async def leads(self, lead_ids: Iterable[str]) -> dict[str, Lead]:
        """Returns the leads that exist, by id."""
        return await find_leads(self._database, lead_ids)

    async def quiet_leads(self, partition: int, quiet_since: datetime, through: date) -> list[str]:
        """Returns the ids of leads for which ticks up to a date may matter; see `Scores`."""
        return await self._ids({"partition": partition, **quiet(quiet_since, through)})

    async def stale_leads(self, partition: int, timeline: Timeline) -> list[str]:
        """Returns the ids of leads that the last publication may change and has not reached; see `Scores`."""
        return await self._ids({"partition": partition, **stale(timeline)})

    async def entries(self, lead_ids: Sequence[str]) -> dict[str, list[Entry]]:
        """Returns what happened to leads; see `Scores`."""
        return await find_entries(self._database, lead_ids)

    async def entry(self, event_id: str) -> tuple[str, Entry] | None:
        """Returns an entry by its id, with its lead's id; None when there is none."""
        row = await self._database["score_history"].find_one({"_id": event_id})
        return (row["lead_id"], documents.read_entry(row)) if row else None

    async def is_waiting(self, event_id: str) -> bool:
        """Tells whether an event waits to be scored and is not parked."""
        return await self._events.rows.find_one({"_id": event_id, "state": PENDING}, {"_id": 1}) is not None

    async def discard(self, event_id: str, reason: str, actor: str, time: datetime) -> str | None:
        """Discards a parked event, unless it was discarded before; see `Scores`."""
        which = {"_id": event_id, "state": {"$in": [PARKED, DISCARDED]}}
        row = await self._events.rows.find_one(which, {"state": 1, "lead_id": 1})
        if row is None:
            return None
        if row["state"] == PARKED:
            discarded = {"state": DISCARDED, **discard_fields(reason, actor, time)}
            await self._events.rows.update_one({"_id": event_id, "state": PARKED}, {"$set": discarded})
        return str(row["lead_id"])

    async def append(self, commit: Commit) -> set[int]:
        """Appends entries, stores the leads' states and puts their changes into automation's inbox; see `Scores`."""
        entries = [
            documents.write_entry(each.after.lead_id, entry) for each in commit.recorded for entry in each.entries
        ]
        if entries:
            await self._database["score_history"].insert_many(entries)
        rows = [self._lead_row(each.after) for each in commit.recorded]
        await self._database["leads"].bulk_write([ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])
        changes = [
            documents.write_change(each, commit) | self._changes.pending_row(each.after.lead_id, commit.record_time)
            for each in commit.recorded
            if each.entries
        ]
        if changes:
            await self._changes.rows.insert_many(changes)
        return {change["partition"] for change in changes}

    async def replace(self, lead: Lead) -> None:
        """Stores a lead's state, and nothing else."""
        await self._database["leads"].replace_one({"_id": lead.lead_id}, self._lead_row(lead), upsert=True)

    async def _ids(self, condition: Document) -> list[str]:
        return [row["_id"] async for row in self._database["leads"].find(condition, {"_id": 1})]

    def _lead_row(self, lead: Lead) -> Document:
        return {**documents.write_lead(lead), "partition": self._events.partition_of(lead.lead_id)}


async def find_leads(database: Database, lead_ids: Iterable[str]) -> dict[str, Lead]:
    """Returns the leads that exist, by id."""
    rows = database["leads"].find({"_id": {"$in": list(lead_ids)}})
    return {row["_id"]: documents.read_lead(row) async for row in rows}


async def find_entries(database: Database, lead_ids: Sequence[str], *, whole: bool = False) -> dict[str, list[Entry]]:
    """Returns what happened to leads, or their whole histories in the order of the sequence."""
    found: dict[str, list[Entry]] = defaultdict(list)
    if lead_ids:
        condition: Document = {"lead_id": {"$in": list(lead_ids)}}
        cursor = database["score_history"].find(condition if whole else condition | _FACTS)
        if whole:
            cursor = cursor.sort([("lead_id", ASCENDING), ("sequence", ASCENDING)])
        async for row in cursor:
            found[row["lead_id"]].append(documents.read_entry(row))
    return found


def quiet(quiet_since: datetime, through: date) -> Document:
    """Returns the condition for leads for which ticks up to a date may matter."""
    return {
        "decayed_through": {"$lt": through.isoformat()},
        "$or": [{"score": {"$gt": 0}, "last_event_time": {"$lte": quiet_since}}, {"owed": True}],
    }


def stale(timeline: Timeline) -> Document:
    """Returns the condition for leads that the last publication may change and has not reached.

    It depends on the publication that a lead follows. If a rescore came later, or the stages had other thresholds, it
    is every lead; else those in which something happened since the next publication.
    """
    rescored = max((each.number for each in timeline.publications if each.mode is Mode.RESCORE), default=1)
    either: list[Document] = [{"publication": {"$lt": rescored}}]
    for number in range(rescored, timeline.number):
        follows: Document = {"publication": number}
        if timeline.model_after(number).stages == timeline.latest.stages:
            begins = timeline.publications[number].begins
            # The earliest date that begins at that time or later, in whichever time zone.
            day = (begins + timedelta(hours=12) - timedelta(milliseconds=1)).date()
            follows["$or"] = [{"last_step_time": {"$gte": begins}}, {"decayed_through": {"$gte": day.isoformat()}}]
        either.append(follows)
    return {"$or": either}
