"""Reads raw documents with the checker's own queries, all from one snapshot."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pymongo import ASCENDING
from pymongo.asynchronous.database import AsyncDatabase

Document = dict[str, Any]
Database = AsyncDatabase[Document]

OLD_MICROSECONDS = 3_000_000
"""A transaction that has been open for longer has been abandoned."""

UNIQUE = {
    ("score_history", "partition", "lead_id", "sequence"),
    ("automation_executions", "partition", "lead_id", "rule_id", "date_bucket", "event_id"),
}
"""The required unique indexes: the name of the collection, then the fields."""
SET_ASIDE = ("parked", "discarded")
"""The states of events without an entry, and of changes without executions."""
_WITHOUT = {"deliveries.attempts": 0}


@dataclass(slots=True)
class LeadRows:
    """All documents of one lead; entries and changes are sorted by sequence."""

    lead_id: str
    lead: Document | None = None
    events: list[Document] = field(default_factory=list)
    entries: list[Document] = field(default_factory=list)
    changes: list[Document] = field(default_factory=list)
    executions: list[Document] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rows:
    """The documents of one snapshot: leads by id, and documents that belong to no lead."""

    leads: Mapping[str, LeadRows]
    rules: Mapping[str, Document]
    models: Sequence[Document]
    publications: Sequence[Document]
    partitions: Mapping[int, Document]
    erasures: Sequence[Document]

    @property
    def pseudonyms(self) -> set[str]:
        """The ids below which the numbers of erased leads stay."""
        return {pseudonym for each in self.erasures for pseudonym in each["pseudonyms"]}

    def entries(self) -> dict[tuple[str, int], Document]:
        """Returns the entries by lead and sequence."""
        return {(lead_id, each["sequence"]): each for lead_id, rows in self.leads.items() for each in rows.entries}

    def events(self) -> dict[str, Document]:
        """Returns the events by id."""
        return {each["_id"]: each for rows in self.leads.values() for each in rows.events}

    def executions(self) -> list[Document]:
        """Returns all executions."""
        return [each for rows in self.leads.values() for each in rows.executions]


@contextlib.asynccontextmanager
async def one_moment(database: Database) -> AsyncIterator[None]:
    """Makes every read inside the block see the same point in time, which no failover can roll back."""
    async with database.client.start_session(snapshot=True) as session, session.bind(end_session=False):
        yield


async def read(database: Database, lead_ids: Collection[str] | None = None) -> Rows:
    """Reads all documents of some leads, or of all leads if `lead_ids` is None; call it within `one_moment`."""
    of = {} if lead_ids is None else {"lead_id": {"$in": list(lead_ids)}}
    leads: dict[str, LeadRows] = {}

    def rows_of(lead_id: str) -> LeadRows:
        return leads.setdefault(lead_id, LeadRows(lead_id))

    async for row in database["leads"].find({} if lead_ids is None else {"_id": of["lead_id"]}):
        rows_of(row["_id"]).lead = row
    async for row in database["events"].find(of):
        rows_of(row["lead_id"]).events.append(row)
    async for row in database["score_history"].find(of).sort([("lead_id", ASCENDING), ("sequence", ASCENDING)]):
        rows_of(row["lead_id"]).entries.append(row)
    async for row in database["score_changes"].find({} if lead_ids is None else {"changes.lead_id": of["lead_id"]}):
        for change in _changes_in(row):
            if lead_ids is None or change["lead_id"] in lead_ids:
                rows_of(change["lead_id"]).changes.append(change)
    async for row in database["automation_executions"].find(of, _WITHOUT):
        rows_of(row["lead_id"]).executions.append(row)
    for each in leads.values():
        _join_properties(each)
        each.changes.sort(key=lambda change: change["sequence"])
    return Rows(
        leads=leads,
        rules={row["_id"]: row async for row in database["automation_rules"].find()},
        models=await database["scoring_models"].find().to_list(),
        publications=await database["model_publications"].find().sort("_id").to_list(),
        partitions={row["_id"]: row async for row in database["scoring_partitions"].find()},
        erasures=await database["erasures"].find().to_list(),
    )


def _changes_in(row: Document) -> Iterator[Document]:
    """Yields the changes in a row, each with the fields that they share, and an id for reports."""
    shared = {name: row.get(name) for name in ("state", "reason", "record_time", "date_bucket")}
    for change in row["changes"]:
        yield {**change, **shared, "_id": f"{change['lead_id']}:{change['sequence']}"}


def _join_properties(rows: LeadRows) -> None:
    """Completes scored events: only their entries keep the properties. An event without an entry stays as it is."""
    entries = {entry["_id"]: entry for entry in rows.entries}
    for event in rows.events:
        if event["_id"] in entries:
            event.setdefault("properties", entries[event["_id"]].get("properties", {}))


async def isolated_retries(database: Database) -> set[str]:
    """Returns the leads whose sums are wrong, computed by the server; call it within `one_moment`.

    The sums are right if as many events are marked as scored as have an entry, the entries are numbered 1 to the lead's
    sequence, and their deltas add up to its score. This is cheap enough to check every lead.
    """
    history, events = await _sums(database, "score_history", _OF_ENTRIES), await _sums(database, "events", _OF_EVENTS)
    leads = {row["_id"]: row async for row in database["leads"].find({}, {"score": 1, "sequence": 1})}
    nothing: Document = defaultdict(int)
    found = set()
    for lead_id in {*history, *events, *leads}:
        sums, lead = history.get(lead_id, nothing), leads.get(lead_id, nothing)
        numbers = {sums["entries"], sums["highest"], lead["sequence"]}
        scored = events.get(lead_id, nothing)["scored"]
        if len(numbers) != 1 or sums["total"] != lead["score"] or sums["events"] != scored:
            found.add(lead_id)
    return found


async def chosen(database: Database, count: int) -> set[str]:
    """Returns some random leads and the one with the longest history; call it within `one_moment`."""
    drawn = await database["leads"].aggregate([{"$sample": {"size": count}}, {"$project": {"_id": 1}}])
    hot = database["leads"].find({}, {"_id": 1}).sort("sequence", -1).limit(1)
    return {row["_id"] async for row in drawn} | {row["_id"] async for row in hot}


async def everything(database: Database) -> list[tuple[str, Document]]:
    """Returns every document of every collection, with the name of the collection."""
    return [(name, row) for name in await database.list_collection_names() async for row in database[name].find()]


async def open_transactions(database: Database) -> list[Document]:
    """Returns the server's description of each transaction that has been open for too long."""
    admin = database.client.admin
    status = await admin.command("serverStatus")
    if not status["transactions"]["currentOpen"]:
        return []
    stages: list[Document] = [
        {"$currentOp": {"allUsers": True, "idleSessions": True}},
        {"$match": {"transaction.timeOpenMicros": {"$gt": OLD_MICROSECONDS}}},
    ]
    return await (await admin.aggregate(stages)).to_list()


async def now(database: Database) -> datetime:
    """Returns the time of the server's clock."""
    hello = await database.client.admin.command("hello")
    time: datetime = hello["localTime"]
    return time


async def unique_keys(database: Database) -> set[tuple[str, ...]]:
    """Returns the existing unique indexes: the name of the collection, then the fields."""
    return {
        (collection, *(field for field, _ in index["key"]))
        for collection in {name for name, *_ in UNIQUE}
        for index in (await database[collection].index_information()).values()
        if index.get("unique")
    }


async def _sums(database: Database, collection: str, sums: Document) -> dict[str, Document]:
    groups = await database[collection].aggregate([{"$group": {"_id": "$lead_id", **sums}}])
    return {row["_id"]: row async for row in groups}


_OF_ENTRIES: Document = {
    "entries": {"$sum": 1},
    "highest": {"$max": "$sequence"},
    "total": {"$sum": "$delta"},
    "events": {"$sum": {"$cond": [{"$eq": ["$kind", "EVENT"]}, 1, 0]}},
}
_OF_EVENTS: Document = {"scored": {"$sum": {"$cond": [{"$eq": ["$state", "scored"]}, 1, 0]}}}
