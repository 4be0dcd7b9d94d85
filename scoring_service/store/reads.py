"""Reads leads, histories and counts, outside of transactions."""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, datetime

from pymongo import ASCENDING, DESCENDING

from scoring_service.domain.decay import Due
from scoring_service.domain.entry import Entry, EntryKind
from scoring_service.domain.lead import Lead
from scoring_service.domain.lead_query import IdRange, LeadOrder, LeadQuery
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.timeline import Timeline
from scoring_service.domain.verification import Stored
from scoring_service.store import documents
from scoring_service.store.event_reads import EventReader
from scoring_service.store.facts import BY_POSITION, PIECE_FACTS, recorded_until
from scoring_service.store.id_ranges import end_of_range, within
from scoring_service.store.lead_counts import LeadCounts
from scoring_service.store.lead_filters import decayed_beyond, inactive, only
from scoring_service.store.models import ModelStore
from scoring_service.store.writes import find_leads
from shared import mongo
from shared.inbox.collection import Inbox
from shared.mongo import Database, Document
from shared.partitions import BY_ID
from shared.rpc.pagination import Cursor

_COUNT_BY_LEAD = {
    "$group": {"_id": "$lead_id", "count": {"$sum": {"$cond": [{"$eq": ["$kind", EntryKind.EVENT.value]}, 1, -1]}}}
}
_ORDERS = {
    LeadOrder.SCORE: ("score", DESCENDING),
    LeadOrder.LAST_EVENT_TIME: ("last_event_time", DESCENDING),
    LeadOrder.LEAD_ID: ("_id", ASCENDING),
}


class LeadReader:
    """Reads leads, their histories and their checkpoints."""

    def __init__(self, database: Database, models: ModelStore, events: Inbox) -> None:
        self._database = database
        self._models = models
        self._partitions = events.partitions
        self.counts = LeadCounts(database)
        self.events = EventReader(database, events)

    def snapshot(self) -> AbstractAsyncContextManager[None]:
        """Opens a context in which all reads see one point in time."""
        return mongo.snapshot(self._database)

    async def timeline(self) -> Timeline:
        """Returns the timeline up to the last publication."""
        return await self._models.timeline()

    async def leads(self, lead_ids: Iterable[str], attributes: Collection[str] | None = None) -> dict[str, Lead]:
        """Returns the leads that exist, by id, with the named attributes only, or with all if None."""
        if attributes is None:
            return await find_leads(self._database, self._partitions, lead_ids)
        ids = list(lead_ids)
        stages: list[Document] = [
            {"$match": {"_id": {"$in": ids}, **self._partitions.pin(ids)}},
            {"$set": {"attributes": only(attributes)}},
        ]
        rows = await (await mongo.naive(self._database["leads"]).aggregate(stages, hint=BY_ID)).to_list()
        return {row["_id"]: documents.read_lead(row) for row in rows}

    async def list_leads(self, query: LeadQuery) -> list[Lead]:
        """Returns one page of leads."""
        key, direction = _ORDERS[query.order]
        conditions: list[Document] = [{"score": {"$gte": query.minimum_score}}]
        if query.below_score is not None:
            conditions.append({"score": {"$lt": query.below_score}})
        if query.active_since is not None:
            conditions.append({"last_event_time": {"$gte": query.active_since}})
        if query.after:
            key_value, lead_id = query.after
            beyond = "$gt" if direction == ASCENDING else "$lt"
            conditions.append({"$or": [{key: {beyond: key_value}}, {key: key_value, "_id": {"$gt": lead_id}}]})
        cursor = mongo.naive(self._database["leads"]).find({"$and": conditions})
        order = [(key, direction)] if key == "_id" else [(key, direction), ("_id", ASCENDING)]
        return list(map(documents.read_lead, await cursor.sort(order).limit(query.limit).to_list()))

    async def history(self, lead_id: str, *, after: Cursor, limit: int, newest_first: bool) -> list[Entry]:
        """Returns one page of a lead's history; `after` is the last sequence of the previous page."""
        condition = self._partitions.lead(lead_id)
        if after:
            condition["sequence"] = {"$lt" if newest_first else "$gt": after[0]}
        cursor = self._database["score_history"].find(condition)
        cursor = cursor.sort("sequence", DESCENDING if newest_first else ASCENDING).limit(limit)
        return [documents.read_entry(row) async for row in cursor]

    async def known_at(self, lead_ids: Sequence[str], time: datetime) -> set[str]:
        """Returns the leads that had a fact by a time, even one that was retracted later."""
        which = {
            **self._partitions.leads(lead_ids),
            "kind": {"$in": ["EVENT", "ADJUSTMENT"]},
            "event_time": {"$lte": time},
        }
        stages: list[Document] = [{"$match": which}, {"$group": {"_id": "$lead_id"}}]
        known = await self._database["score_history"].aggregate(stages, hint=BY_POSITION)
        return {row["_id"] async for row in known}

    async def retracted_since(self, lead_ids: Sequence[str], time: datetime) -> set[str]:
        """Returns the leads with an event that was retracted after a time."""
        which = {**self._partitions.leads(lead_ids), "kind": EntryKind.RETRACTION.value, "record_time": {"$gt": time}}
        rows = self._database["score_history"].find(which, {"lead_id": 1}, hint=BY_POSITION)
        return {row["lead_id"] async for row in rows}

    async def recent_events(
        self, lead_ids: Sequence[str], after: datetime, until: datetime, *, retracted_by: datetime | None = None
    ) -> dict[str, int]:
        """Counts the events of each lead with a time in (after, until], without those that were retracted.

        With `retracted_by`, later retractions do not count. A retraction has the event time of the event that it
        removes, so it subtracts one. Leads without such events are left out.
        """
        if not lead_ids:
            return {}
        which = {
            **self._partitions.leads(lead_ids),
            "event_time": {"$gt": after, "$lte": until},
            **_counted(retracted_by),
        }
        stages: list[Document] = [{"$match": which}, _COUNT_BY_LEAD]
        counts = await self._database["score_history"].aggregate(stages, hint=BY_POSITION)
        return {row["_id"]: row["count"] for row in await counts.to_list()}

    async def decayed_through(self, lead_ids: Sequence[str]) -> dict[str, date | None]:
        """Returns for each lead the date through which its partition is decayed; None before the first decay run."""
        partitions = {lead_id: self._partitions.of(lead_id) for lead_id in lead_ids}
        rows = self._database["scoring_partitions"].find({"_id": {"$in": sorted(set(partitions.values()))}})
        dates = {row["_id"]: documents.read_date(row["through"]) async for row in rows}
        return {lead_id: dates[partition] for lead_id, partition in partitions.items()}

    async def count_leads(self) -> int:
        """Returns the number of leads, from the metadata of the collection."""
        return await self._database["leads"].estimated_document_count()

    async def last_event_time(self) -> datetime | None:
        """Returns the time of the last event of all leads; None if there is no event."""
        lead = await self._database["leads"].find_one(
            {}, {"last_event_time": 1}, sort=[("last_event_time", DESCENDING)]
        )
        return lead["last_event_time"] if lead else None

    async def count_inactive_leads(self, due: Due) -> int:
        """Returns the number of inactive leads; see `lead_filters`."""
        return await self._database["leads"].count_documents(inactive(due))

    async def inactive_leads(self, due: Due) -> AsyncIterator[Lead]:
        """Yields the inactive leads; see `lead_filters`."""
        async for row in self._database["leads"].find(inactive(due), batch_size=PIECE_FACTS):
            yield documents.read_lead(row)

    async def count_decayed_beyond(self, day: date) -> int:
        """Returns the number of leads to which ticks after a date were applied."""
        return await self._database["leads"].count_documents(decayed_beyond(day))

    async def end_of_range(self, after: str, max_leads: int) -> str | None:
        """Returns the id at which a range of leads ends that holds `max_leads` rows; None if fewer are left."""
        return await end_of_range(self._database["leads"], after, max_leads)

    async def leads_in(self, leads: IdRange) -> list[Lead]:
        """Returns the leads of a range that have a row, ordered by id."""
        rows = mongo.naive(self._database["leads"]).find({"_id": within(leads)}).sort("_id", ASCENDING)
        return list(map(documents.read_lead, await rows.to_list()))

    async def stored(self, leads: IdRange, max_leads: int, max_entries: int) -> list[Stored]:
        """Returns what is stored of the first leads of a range by id: those that have a row, a history, or both.

        It returns at most `max_leads` rows and at most `max_entries` entries. A lead that alone has more entries is
        returned by itself and without them. An empty list means that the range has no leads.
        """
        rows = mongo.naive(self._database["leads"]).find({"_id": within(leads)}).sort("_id", ASCENDING)
        found = {row["_id"]: documents.read_lead(row) for row in await rows.limit(max_leads).to_list()}
        end = max(found) if len(found) == max_leads else leads.end
        histories, end = await self._histories(IdRange(leads.after, end), max_entries)
        lead_ids = sorted(each for each in {*found, *histories} if end is None or each <= end)
        decayed = await self.decayed_through(lead_ids)
        return [Stored(each, found.get(each), histories.get(each, ()), decayed[each]) for each in lead_ids]

    async def sequences(self, leads: IdRange) -> dict[str, int]:
        """Returns the sequences of the leads of a range that have a row, by lead id."""
        rows = self._database["leads"].find({"_id": within(leads)}, {"sequence": 1}, hint=BY_ID)
        return {row["_id"]: row["sequence"] for row in await rows.to_list()}

    async def count_entries(self, leads: IdRange) -> dict[str, int]:
        """Counts the entries of each lead of a range that has any; it reads only the keys of an index."""
        stages: list[Document] = [
            {"$match": {"lead_id": within(leads)}},
            {"$group": {"_id": "$lead_id", "count": {"$sum": 1}}},
        ]
        counts = await self._database["score_history"].aggregate(stages, hint=BY_POSITION)
        return {row["_id"]: row["count"] for row in await counts.to_list()}

    async def whole_history(self, lead_id: str, *, until: int | None = None) -> AsyncGenerator[list[Entry], None]:
        """Yields the history of a lead, up to a sequence if given, in its order and in pieces of `PIECE_FACTS`."""
        which = self._partitions.lead(lead_id) | recorded_until(until)
        cursor = self._database["score_history"].find(which, batch_size=PIECE_FACTS).sort("sequence", ASCENDING)
        while rows := await cursor.to_list(PIECE_FACTS):
            yield list(map(documents.read_entry, rows))

    async def checkpoints_of(self, lead_ids: Sequence[str]) -> dict[str, dict[int, LeadState]]:
        """Returns the checkpoints of leads, by lead id and number of facts."""
        found: dict[str, dict[int, LeadState]] = defaultdict(dict)
        async for row in self._database["checkpoints"].find(self._partitions.each_lead(lead_ids)):
            found[row["lead_id"]][row["fact_count"]] = documents.read_checkpoint(row) or EMPTY
        return found

    async def _histories(self, leads: IdRange, max_entries: int) -> tuple[dict[str, list[Entry] | None], str | None]:
        """Returns complete histories of the leads of a range, and the last lead that they cover.

        A history of None means that this lead alone has too many entries.
        """
        # By an index that begins with the lead: the sequence is in another one, which begins with the partition.
        cursor = self._database["score_history"].find({"lead_id": within(leads)}, hint=BY_POSITION)
        cursor = cursor.sort("lead_id", ASCENDING).limit(max_entries + 1)
        found: dict[str, list[Entry]] = defaultdict(list)
        for row in await cursor.to_list():
            found[row["lead_id"]].append(documents.read_entry(row))
        for entries in found.values():
            entries.sort(key=lambda entry: entry.sequence)
        if sum(map(len, found.values())) <= max_entries:
            return {**found}, leads.end
        cut, _ = found.popitem()
        # Leads without a history may come before the lead that was cut off.
        return ({**found}, max(found)) if found else ({cut: None}, cut)


def _counted(retracted_by: datetime | None) -> Document:
    """Returns the condition on entries that count recent events; without `retracted_by`, the index answers it."""
    if retracted_by is None:
        return {"kind": {"$in": [EntryKind.EVENT.value, EntryKind.RETRACTION.value]}}
    retraction = {"kind": EntryKind.RETRACTION.value, "record_time": {"$lte": retracted_by}}
    return {"$or": [{"kind": EntryKind.EVENT.value}, retraction]}
