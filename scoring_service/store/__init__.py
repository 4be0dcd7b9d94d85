"""MongoDB ⇄ domain: `leads`, `score_history`, `scoring_models`, `decay_state`, and our ends of two inboxes."""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime
from typing import TypeVar

from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne

from scoring_service import documents
from scoring_service.domain.built_in import BUILT_IN
from scoring_service.domain.history import Entry, EntryKind, Lead
from scoring_service.domain.model import IDENTIFY, Event, ResolvedEvent, ScoringModel
from scoring_service.ports import Batch, Commit, LeadOrder, LeadQuery, RecordedEntry
from shared import mongo
from shared.inbox import Inbox
from shared.mongo import Database, Document
from shared.pages import Place
from shared.settings import StartupError

EVENTS, SCORED = "events", "scored"
CHANGES, DONE = "score_changes", "done"

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "leads": [
        IndexModel([("score", DESCENDING), ("_id", ASCENDING)], name="by_score"),
        IndexModel([("last_event_time", DESCENDING), ("_id", ASCENDING)], name="by_last_event_time"),
        IndexModel([("partition", ASCENDING), ("last_event_time", ASCENDING)], name="quiet"),
    ],
    "score_history": [
        IndexModel([("lead_id", ASCENDING), ("sequence", ASCENDING)], name="by_sequence", unique=True),
        IndexModel([("lead_id", ASCENDING), ("kind", ASCENDING), ("event_time", ASCENDING)], name="by_event_time"),
    ],
    "scoring_models": [],
    "decay_state": [],
}

_EVENT_FIELDS: Document = {
    "lead_id": 1,
    "partition": 1,
    "event_type": 1,
    "event_time": 1,
    # Only an `identify` event's properties matter to a score; those of others stay where they are.
    "properties": {"$cond": [{"$eq": ["$event_type", IDENTIFY]}, "$properties", "$$REMOVE"]},
}
_PAST_FIELDS = dict.fromkeys(
    ("lead_id", "event_type", "event_time", "rule_id", "model_version", "points", "attributes"), 1
)
_ORDERS = {
    LeadOrder.SCORE: ("score", DESCENDING),
    LeadOrder.LAST_EVENT_TIME: ("last_event_time", DESCENDING),
    LeadOrder.LEAD_ID: ("_id", ASCENDING),
}
T = TypeVar("T")


class MongoScores:
    """`Scores` over MongoDB."""

    def __init__(self, database: Database, events: Inbox, changes: Inbox, *, transaction_seconds: float) -> None:
        self._database = database
        self._events = events
        self._changes = changes
        self._seconds = transaction_seconds
        self._models = _Models(database)

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` as one transaction; see `Scores`."""
        return await mongo.transact(self._database, body, seconds=self._seconds)

    async def waiting(self, partitions: Sequence[int], most: int) -> Batch:
        """Returns the oldest events that wait in some partitions."""
        rows = await self._events.pending(partitions, most, _EVENT_FIELDS)
        events: dict[str, list[Event]] = defaultdict(list)
        for row in rows:
            events[row["lead_id"]].append(documents.read_event(row))
        return Batch(events, {row["lead_id"]: row["partition"] for row in rows}, rows)

    async def mark(self, batch: Batch) -> None:
        """Marks the events of a batch as scored."""
        await self._events.mark(batch.rows)

    async def model_in_force(self) -> ScoringModel:
        """Returns the model that judges now."""
        return await self._models.in_force()

    async def begin(self, partitions: Iterable[int], through: date | None = None) -> dict[int, date | None]:
        """Takes partitions for this transaction; see `Scores`.

        The write is what makes a drain and a decay run of one partition meet as a conflict.
        """
        rows = self._database["decay_state"]
        which = {"_id": {"$in": sorted(partitions)}}
        update: Document = {"$inc": {"transactions": 1}}
        if through is not None:
            update["$max"] = {"through": through.isoformat()}
        await rows.update_many(which, update)
        return {row["_id"]: documents.read_date(row["through"]) async for row in rows.find(which, {"through": 1})}

    async def leads(self, lead_ids: Iterable[str]) -> dict[str, Lead]:
        """Returns the leads that exist, by id."""
        return await _leads(self._database, lead_ids)

    async def quiet_leads(self, partition: int, quiet_since: datetime, through: date, most: int) -> list[Lead]:
        """Returns leads for which ticks up to a date may matter; see `Scores`."""
        cursor = self._database["leads"].find({"partition": partition, **_quiet(quiet_since, through)}).limit(most)
        return [documents.read_lead(row) async for row in cursor]

    async def past(self, lead_ids: Sequence[str]) -> dict[str, list[ResolvedEvent]]:
        """Returns the recorded events of leads in the order of their positions."""
        return await _past(self._database, lead_ids)

    async def append(self, commit: Commit) -> set[int]:
        """Appends entries, stores the leads' states and puts their changes into automation's inbox; see `Scores`."""
        entries = [
            documents.write_entry(each.after.lead_id, entry, commit.record_time)
            for each in commit.recorded
            for entry in each.entries
        ]
        if entries:
            await self._database["score_history"].insert_many(entries)
        rows = [self._lead_row(each.after, commit.model_version) for each in commit.recorded]
        await self._database["leads"].bulk_write([ReplaceOne({"_id": row["_id"]}, row, upsert=True) for row in rows])
        changes = [
            documents.write_change(each, commit) | self._changes.pending_row(each.after.lead_id, commit.record_time)
            for each in commit.recorded
            if each.entries
        ]
        if changes:
            await self._changes.rows.insert_many(changes)
        return {change["partition"] for change in changes}

    async def replace(self, lead: Lead, model_version: int) -> None:
        """Stores a lead's state, and nothing else."""
        row = self._lead_row(lead, model_version)
        await self._database["leads"].replace_one({"_id": lead.lead_id}, row, upsert=True)

    def _lead_row(self, lead: Lead, model_version: int) -> Document:
        partition = self._events.partition_of(lead.lead_id)
        return {**documents.write_lead(lead), "partition": partition, "model_version": model_version}


class MongoViews:
    """`Views` over MongoDB."""

    def __init__(self, database: Database, events: Inbox) -> None:
        self._database = database
        self._events = events
        self._models = _Models(database)

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Lets every read inside see one point in time."""
        return mongo.snapshot(self._database)

    async def model_in_force(self) -> ScoringModel:
        """Returns the model that judges now."""
        return await self._models.in_force()

    async def model(self, version: int) -> ScoringModel | None:
        """Returns a version of the model, None when there is no such version."""
        return await self._models.version(version)

    async def leads(self, lead_ids: Iterable[str]) -> dict[str, Lead]:
        """Returns the leads that exist, by id."""
        return await _leads(self._database, lead_ids)

    async def list_leads(self, query: LeadQuery) -> list[Lead]:
        """Returns a page of leads."""
        key, direction = _ORDERS[query.order]
        conditions: list[Document] = [{"score": {"$gte": query.minimum_score}}]
        if query.below_score is not None:
            conditions.append({"score": {"$lt": query.below_score}})
        if query.after:
            place, lead_id = query.after
            beyond = "$gt" if direction == ASCENDING else "$lt"
            conditions.append({"$or": [{key: {beyond: place}}, {key: place, "_id": {"$gt": lead_id}}]})
        cursor = self._database["leads"].find({"$and": conditions})
        order = [(key, direction)] if key == "_id" else [(key, direction), ("_id", ASCENDING)]
        return [documents.read_lead(row) async for row in cursor.sort(order).limit(query.most)]

    async def entries(self, lead_id: str, *, after: Place, most: int, newest_first: bool) -> list[RecordedEntry]:
        """Returns a page of a lead's history, from beyond the place of a sequence on."""
        condition: Document = {"lead_id": lead_id}
        if after:
            condition["sequence"] = {"$lt" if newest_first else "$gt": after[0]}
        cursor = self._database["score_history"].find(condition)
        cursor = cursor.sort("sequence", DESCENDING if newest_first else ASCENDING).limit(most)
        return [RecordedEntry(documents.read_entry(row), row["record_time"]) async for row in cursor]

    async def past(self, lead_ids: Sequence[str]) -> dict[str, list[ResolvedEvent]]:
        """Returns the recorded events of leads in the order of their positions."""
        return await _past(self._database, lead_ids)

    async def recent_events(self, lead_ids: Sequence[str], after: datetime, until: datetime) -> dict[str, int]:
        """Returns the numbers of events with a time in (after, until], for those leads that have some."""
        if not lead_ids:
            return {}
        times = {"$gt": after, "$lte": until}
        counts = await self._database["score_history"].aggregate(
            [
                {"$match": {"lead_id": {"$in": list(lead_ids)}, "kind": EntryKind.EVENT.value, "event_time": times}},
                {"$group": {"_id": "$lead_id", "count": {"$sum": 1}}},
            ]
        )
        return {row["_id"]: row["count"] async for row in counts}

    async def decayed_through(self, lead_id: str) -> date | None:
        """Returns the date through which the lead's partition is decayed."""
        row = await self._database["decay_state"].find_one({"_id": self._events.partition_of(lead_id)})
        return documents.read_date(row["through"]) if row else None

    async def backlog(self) -> tuple[int, datetime | None]:
        """Returns how many events wait to be scored, and when the oldest was put."""
        count = await self._events.count_pending()
        return count, min((await self._events.waiting()).values(), default=None) if count else None

    async def count_leads(self) -> int:
        """Returns the number of leads."""
        return await self._database["leads"].estimated_document_count()

    async def count_quiet_leads(self, quiet_since: datetime, through: date) -> int:
        """Returns how many leads `Scores.quiet_leads` would return over all partitions."""
        return await self._database["leads"].count_documents(_quiet(quiet_since, through))

    async def quiet_leads(self, quiet_since: datetime, through: date) -> AsyncIterator[Lead]:
        """Yields the leads that `Scores.quiet_leads` would return over all partitions."""
        async for row in self._database["leads"].find(_quiet(quiet_since, through)):
            yield documents.read_lead(row)

    async def whole_histories(self, lead_ids: Sequence[str]) -> dict[str, list[Entry]]:
        """Returns the histories of leads in the order of the sequence."""
        histories: dict[str, list[Entry]] = defaultdict(list)
        cursor = self._database["score_history"].find({"lead_id": {"$in": list(lead_ids)}})
        async for row in cursor.sort([("lead_id", ASCENDING), ("sequence", ASCENDING)]):
            histories[row["lead_id"]].append(documents.read_entry(row))
        return histories

    async def scored_events(self, event_ids: Sequence[str]) -> dict[str, dict[str, Event]]:
        """Returns, per lead, those of the events that are stored as scored, by id."""
        events: dict[str, dict[str, Event]] = defaultdict(dict)
        cursor = self._events.rows.find({"_id": {"$in": list(event_ids)}, "state": SCORED}, _EVENT_FIELDS)
        async for row in cursor:
            events[row["lead_id"]][row["_id"]] = documents.read_event(row)
        return events

    async def count_scored(self) -> tuple[int, int]:
        """Returns the number of events stored as scored and the number of EVENT entries, at one point in time."""
        async with self.snapshot():
            return (
                await self._events.rows.count_documents({"state": SCORED}),
                await self._database["score_history"].count_documents({"kind": EntryKind.EVENT.value}),
            )


class _Models:
    """The versions of the model. A version never changes, so each is read once."""

    def __init__(self, database: Database) -> None:
        self._rows = database["scoring_models"]
        self._read: dict[int, ScoringModel] = {}

    async def in_force(self) -> ScoringModel:
        row = await self._rows.find_one({}, {"_id": 1}, sort=[("_id", DESCENDING)])
        model = await self.version(row["_id"]) if row else None
        if model is None:
            raise StartupError("the database has no scoring model: run migrate of the scoring service")
        return model

    async def version(self, version: int) -> ScoringModel | None:
        if version not in self._read:
            row = await self._rows.find_one({"_id": version})
            if row is None:
                return None
            self._read[version] = documents.read_model(row)
        return self._read[version]


async def migrate(database: Database, *, partitions: int, time_zone: str) -> None:
    """Creates what this service owns: collections, indexes, the built-in model, the decay state of every partition."""
    await mongo.create_indexes(database, INDEXES)
    await mongo.durable(database["scoring_models"]).update_one(
        {"_id": BUILT_IN.version}, {"$setOnInsert": documents.write_model(BUILT_IN)}, upsert=True
    )
    for partition in range(partitions):
        await mongo.durable(database["decay_state"]).update_one(
            {"_id": partition},
            {"$setOnInsert": {"through": "", "time_zone": time_zone, "transactions": 0}},
            upsert=True,
        )
    await check(database, time_zone=time_zone)


async def check(database: Database, *, time_zone: str) -> None:
    """Checks at start that the database was made for this time zone: ticks of another one would score anew.

    Raises:
        StartupError: It was made for another one, or not made at all.
    """
    row = await database["decay_state"].find_one({"_id": 0})
    if row is None:
        raise StartupError("the database has no decay state: run migrate of the scoring service")
    if row["time_zone"] != time_zone:
        raise StartupError(f"the database was made for {row['time_zone']}: set LEADSCORE_TIME_ZONE={row['time_zone']}")


async def _leads(database: Database, lead_ids: Iterable[str]) -> dict[str, Lead]:
    return {
        row["_id"]: documents.read_lead(row) async for row in database["leads"].find({"_id": {"$in": list(lead_ids)}})
    }


async def _past(database: Database, lead_ids: Sequence[str]) -> dict[str, list[ResolvedEvent]]:
    past: dict[str, list[ResolvedEvent]] = defaultdict(list)
    if lead_ids:
        condition = {"lead_id": {"$in": list(lead_ids)}, "kind": EntryKind.EVENT.value}
        async for row in database["score_history"].find(condition, _PAST_FIELDS):
            past[row["lead_id"]].append(documents.read_resolved(row))
    for events in past.values():
        events.sort(key=lambda event: event.position)
    return past


def _quiet(quiet_since: datetime, through: date) -> Document:
    return {
        "decayed_through": {"$lt": through.isoformat()},
        "$or": [{"score": {"$gt": 0}, "last_event_time": {"$lte": quiet_since}}, {"owed": True}],
    }
