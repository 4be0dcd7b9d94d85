"""Reads what folds need: the recorded facts of leads, in order, and their checkpoints."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

from pymongo import ASCENDING, DESCENDING

from scoring_service.domain.entry import RETRACTION_PREFIX
from scoring_service.domain.lead_state import EMPTY, LeadState
from scoring_service.domain.model import Event
from scoring_service.domain.timeline import Adjustment, Position
from scoring_service.store import documents
from shared.mongo import Database, Document, naive
from shared.partitions import BY_ID, Partitions

BY_POSITION = "by_position"
"""The index of the history by lead, kind, event time and id."""
PIECE_FACTS = 1_000
"""Number of facts that are read and folded at a time: decoding them blocks the event loop for about 5 ms."""

_FACTS = ["EVENT", "ADJUSTMENT"]
_FIELDS = dict.fromkeys(
    ("kind", "event_type", "event_time", "properties", "verdicts", "historical", "points", "reason", "actor", "target"),
    1,
)


def recorded_until(sequence: int | None) -> Document:
    """Returns the condition that entries were recorded up to a sequence; without one, all were."""
    return {} if sequence is None else {"sequence": {"$lte": sequence}}


class FactReader:
    """Reads the recorded facts and the checkpoints of leads, in the transaction or snapshot that it is called in."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._partitions = partitions
        self._entries = naive(database["score_history"])
        self._checkpoints = naive(database["checkpoints"])

    async def facts_of(
        self, lead_ids: Sequence[str], *, as_of: datetime | None = None
    ) -> dict[str, list[Event | Adjustment]]:
        """Returns the facts of some leads, in no particular order; see `facts`."""
        found: dict[str, list[Event | Adjustment]] = defaultdict(list)
        if not lead_ids:
            return found
        retracted: set[str] = set()
        which: Document = {**self._partitions.leads(lead_ids), "kind": {"$in": [*_FACTS, "RETRACTION"]}}
        fields = {**_FIELDS, "lead_id": 1}
        if as_of is not None:
            fields["record_time"] = 1
            which["event_time"] = {"$lte": as_of}  # a retraction has the event time of the event that it removes
        for row in await self._entries.find(which, fields, hint=BY_POSITION).to_list():
            if row["kind"] != "RETRACTION":
                found[row["lead_id"]].append(documents.read_fact(row))
            elif as_of is None or row["record_time"].replace(tzinfo=UTC) <= as_of:
                retracted.add(row["_id"].removeprefix(RETRACTION_PREFIX))
        if not retracted:
            return found
        return {lead_id: [fact for fact in facts if fact.event_id not in retracted] for lead_id, facts in found.items()}

    async def facts(
        self,
        lead_id: str,
        *,
        after: Position | None = None,
        as_of: datetime | None = None,
        until: int | None = None,
    ) -> AsyncGenerator[list[Event | Adjustment], None]:
        """Yields the facts of a lead after a position, in pieces, ordered by position, without retracted ones.

        With `as_of`, facts count by their event time and retractions by their record time. With `until`, both count if
        they were recorded up to that sequence.
        """
        retracted = await self._retracted(lead_id, after, as_of, until)
        which: Document = {**self._partitions.lead(lead_id), "kind": {"$in": _FACTS}, **recorded_until(until)}
        if as_of is not None:
            which["event_time"] = {"$lte": as_of}
        if after is not None:
            time, event_id = after
            which["$or"] = [{"event_time": time, "_id": {"$gt": event_id}}, {"event_time": {"$gt": time}}]
        cursor = self._entries.find(which, _FIELDS, batch_size=PIECE_FACTS, hint=BY_POSITION)
        cursor = cursor.sort([("event_time", ASCENDING), ("_id", ASCENDING)])
        reading = asyncio.create_task(cursor.to_list(PIECE_FACTS))
        try:
            while rows := await reading:
                # Read the next piece while the caller folds this one.
                reading = asyncio.create_task(cursor.to_list(PIECE_FACTS))
                yield [documents.read_fact(row) for row in rows if row["_id"] not in retracted]
        finally:
            reading.cancel()

    async def record_times(self, lead_ids: Sequence[str]) -> dict[str, dict[str, datetime]]:
        """Returns when the facts of some leads were recorded, by lead and by the id of the fact."""
        found: dict[str, dict[str, datetime]] = defaultdict(dict)
        which: Document = {**self._partitions.leads(lead_ids), "kind": {"$in": _FACTS}}
        async for row in self._entries.find(which, {"lead_id": 1, "record_time": 1}, hint=BY_POSITION):
            found[row["lead_id"]][row["_id"]] = row["record_time"].replace(tzinfo=UTC)
        return found

    async def events(self, lead_ids: Sequence[str], event_ids: Sequence[str]) -> list[Event]:
        """Returns those of the events that are recorded in the histories of some leads."""
        which = {"_id": {"$in": list(event_ids)}, **self._partitions.pin(lead_ids), "kind": "EVENT"}
        rows = await self._entries.find(which, _FIELDS, hint=BY_ID).to_list()
        return [fact for fact in map(documents.read_fact, rows) if isinstance(fact, Event)]

    async def checkpoint(self, lead_id: str, before: Position, max_facts: int | None) -> LeadState:
        """Returns the last checkpoint before a position with at most `max_facts` facts, or `EMPTY`."""
        time, event_id = before
        which: Document = {
            **self._partitions.lead(lead_id),
            "$or": [
                {"last_fact_time": {"$lt": time}},
                {"last_fact_time": time, "last_fact_id": {"$lt": event_id}},
            ],
        }
        if max_facts is not None:
            which["fact_count"] = {"$lte": max_facts}
        row = await self._checkpoints.find_one(which, sort=[("fact_count", DESCENDING)])
        return (documents.read_checkpoint(row) if row else None) or EMPTY

    async def checkpoints_after(self, lead_id: str, fact_count: int) -> list[LeadState]:
        """Returns the checkpoints of a lead with more than `fact_count` facts, in order."""
        rows = self._checkpoints.find({**self._partitions.lead(lead_id), "fact_count": {"$gt": fact_count}})
        found = [documents.read_checkpoint(row) async for row in rows.sort("fact_count", ASCENDING)]
        return [state for state in found if state is not None]

    async def _retracted(
        self, lead_id: str, after: Position | None, as_of: datetime | None, until: int | None
    ) -> set[str]:
        which: Document = {**self._partitions.lead(lead_id), "kind": "RETRACTION", **recorded_until(until)}
        if after is not None:
            which["event_time"] = {"$gte": after[0]}
        if as_of is not None:
            which["record_time"] = {"$lte": as_of}
        rows = self._entries.find(which, {"_id": 1}, hint=BY_POSITION)
        return {row["_id"].removeprefix(RETRACTION_PREFIX) async for row in rows}
