"""Old events whose properties are still stored, and their removal.

Guarantee: one transaction replaces the properties of a page of events by their verdicts. It conflicts with a
publication that reaches one of their partitions, so that no fold sees both.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import NamedTuple

from pymongo import UpdateMany

from admin_service.domain.erased_rows import Verdicts
from shared.mongo import Database, Document, transact
from shared.partitions import BY_ID, Partitions

PAGE_LEADS = 500
"""Leads whose old events are looked for together."""
PAGE_EVENTS = 500
"""Events that one transaction changes."""
TRANSACTION_SECONDS = 5.0
"""Longest time for one transaction."""
IDENTIFY = "identify"
"""Events of this type keep their properties, which are the attributes of their lead."""


class OldEvent(NamedTuple):
    """An event whose properties are stored."""

    event_id: str
    lead_id: str


class OldEvents:
    """Finds old events, and removes their properties."""

    def __init__(self, database: Database, partitions: Partitions) -> None:
        self._database = database
        self._partitions = partitions
        self._history = database["score_history"]

    async def count_leads(self) -> int:
        """Returns the number of leads, from the metadata of the collection."""
        return await self._database["leads"].estimated_document_count()

    async def leads(self) -> AsyncIterator[Sequence[str]]:
        """Yields the ids of all leads, `PAGE_LEADS` at a time."""
        after = ""
        while True:
            rows = self._database["leads"].find({"_id": {"$gt": after}}, {"_id": 1}).sort("_id").limit(PAGE_LEADS)
            page = [row["_id"] for row in await rows.to_list()]
            if not page:
                return
            yield page
            after = page[-1]

    async def page(self, lead_ids: Sequence[str], before: datetime) -> list[OldEvent]:
        """Returns up to `PAGE_EVENTS` events of some leads from before a time that still have their properties."""
        which: Document = {
            **self._partitions.leads(lead_ids),
            "kind": "EVENT",
            "event_time": {"$lt": before},
            "event_type": {"$ne": IDENTIFY},
            "properties": {"$exists": True},
        }
        rows = self._history.find(which, {"lead_id": 1}, hint="by_position").limit(PAGE_EVENTS)
        return [OldEvent(row["_id"], row["lead_id"]) async for row in rows]

    async def remove_properties(self, events: Sequence[OldEvent], verdicts: Mapping[str, Verdicts]) -> int:
        """Replaces the properties of events by their verdicts; returns how many events had any."""
        remove = partial(self._remove, events, verdicts)
        return await transact(self._database, remove, seconds=TRANSACTION_SECONDS)

    async def _remove(self, events: Sequence[OldEvent], verdicts: Mapping[str, Verdicts]) -> int:
        by_verdicts: dict[str, tuple[Verdicts, list[str]]] = {}
        for event in events:
            if event.event_id in verdicts:
                found = verdicts[event.event_id]
                by_verdicts.setdefault(str(found), (found, []))[1].append(event.event_id)
        partitions = {self._partitions.of(event.lead_id) for event in events}
        # A publication takes all locks of a partition; one of them is enough to conflict with it.
        locks = {"_id": {"$in": [f"{partition}:pages" for partition in partitions]}}
        await self._database["scoring_locks"].update_many(locks, {"$inc": {"transactions": 1}})
        pinned = self._partitions.pin(event.lead_id for event in events)
        updates = [
            UpdateMany(
                {"_id": {"$in": ids}, **pinned, "properties": {"$exists": True}},
                {"$unset": {"properties": ""}, "$set": {"verdicts": found}},
                hint=BY_ID,
            )
            for found, ids in by_verdicts.values()
        ]
        return (await self._history.bulk_write(updates, ordered=False)).modified_count if updates else 0
