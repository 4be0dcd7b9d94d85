"""Reads events by their ids, and counts them, outside of transactions."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from pymongo import ASCENDING

from scoring_service.domain.lead_query import IdRange
from scoring_service.domain.verification import ScoredEvent
from scoring_service.store.id_ranges import end_of_range, within
from shared import mongo
from shared.contracts.events import CONTRACT
from shared.inbox.collection import Inbox
from shared.inbox.parking import Parking
from shared.mongo import Database
from shared.partitions import BY_ID

_MAX_IDS = 1_000
"""Ids in one query: each has at most 256 characters, and a MongoDB command holds at most 16 MiB."""


class UnscoredEvents(NamedTuple):
    """The numbers of events that are pending, parked and discarded."""

    pending: int
    parked: int
    discarded: int


class EventReader:
    """Reads events."""

    def __init__(self, database: Database, events: Inbox) -> None:
        self._database = database
        self._events = events

    async def count(self) -> int:
        """Returns the number of events, from the metadata of the collection."""
        return await self._events.rows.estimated_document_count()

    async def count_unscored(self) -> UnscoredEvents:
        """Counts the events that are not scored, at one point in time."""
        parking = Parking(self._events)
        async with mongo.snapshot(self._database):
            pending = await self._events.count_pending()
            return UnscoredEvents(pending, await parking.count(), await parking.count_discarded())

    async def end_of_range(self, after: str, max_events: int) -> str | None:
        """Returns the id at which a range of events ends that holds `max_events`; None if fewer are left."""
        return await end_of_range(self._events.rows, after, max_events)

    async def scored(self, event_ids: Sequence[str]) -> dict[str, dict[str, ScoredEvent]]:
        """Returns those of the events that are marked as scored, by lead id and event id."""
        found: dict[str, dict[str, ScoredEvent]] = defaultdict(dict)
        fields = {"lead_id": 1, "event_type": 1, "event_time": 1, "digest": 1}
        for start in range(0, len(event_ids), _MAX_IDS):
            which = {"_id": {"$in": event_ids[start : start + _MAX_IDS]}, "state": CONTRACT.done}
            async for row in self._events.rows.find(which, fields):
                found[row["lead_id"]][row["_id"]] = ScoredEvent(row["event_type"], row["event_time"], row["digest"])
        return found

    async def leads_of_scored(self, ids: IdRange) -> dict[str, str]:
        """Returns the events of a range that are marked as scored, each with the id of its lead."""
        which = {"_id": within(ids), "state": CONTRACT.done}
        rows = self._events.rows.find(which, {"lead_id": 1}, hint=BY_ID).sort("_id", ASCENDING)
        return {row["_id"]: row["lead_id"] for row in await rows.to_list()}

    async def recorded(self, event_ids: Sequence[str]) -> set[str]:
        """Returns those of the events that have an entry; it reads only the keys of an index."""
        entries, found = self._database["score_history"], set[str]()
        for start in range(0, len(event_ids), _MAX_IDS):
            which = {"_id": {"$in": event_ids[start : start + _MAX_IDS]}}
            found.update(row["_id"] for row in await entries.find(which, {"_id": 1}, hint=BY_ID).to_list())
        return found
