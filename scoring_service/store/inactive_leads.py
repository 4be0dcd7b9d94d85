"""Reads the leads that have had no event for some time."""

from datetime import date, datetime
from typing import NamedTuple

from pymongo import ASCENDING, DESCENDING

from scoring_service.domain.model import ScoringModel
from scoring_service.store import documents
from scoring_service.store.backlog import BacklogReader
from scoring_service.store.models import ModelStore
from shared.mongo import Database, Document
from shared.rpc.pagination import Cursor


class InactiveLead(NamedTuple):
    """A lead that has had no event for some time, with the sequence of its last entry."""

    lead_id: str
    score: int
    last_event_time: datetime
    sequence: int


class InactivePage(NamedTuple):
    """Inactive leads, the model in force, and the earliest decay date of all partitions before they were read."""

    leads: list[InactiveLead]
    model: ScoringModel
    decayed_through: date | None


class InactiveLeads:
    """Lists inactive leads along the index by last event time."""

    def __init__(self, database: Database, models: ModelStore, backlog: BacklogReader) -> None:
        self._leads = database["leads"]
        self._models = models
        self._backlog = backlog

    async def page(self, since: datetime, after: Cursor, limit: int) -> InactivePage:
        """Returns one page of the leads whose last event is live and not later than a time, the latest first.

        `after` is the last event time and the id of the last lead of the previous page.
        """
        decayed_through, _ = await self._backlog.decay_dates()
        which: Document = {"last_event_time": {"$gt": documents.NEVER, "$lte": since}, "last_event_historical": False}
        if after:
            time, lead_id = after
            which["$or"] = [{"last_event_time": {"$lt": time}}, {"last_event_time": time, "_id": {"$gt": lead_id}}]
        found = self._leads.find(which, ["score", "last_event_time", "sequence"])
        rows = found.sort([("last_event_time", DESCENDING), ("_id", ASCENDING)]).limit(limit)
        leads = [InactiveLead(row["_id"], row["score"], row["last_event_time"], row["sequence"]) async for row in rows]
        return InactivePage(leads, (await self._models.timeline()).latest, decayed_through)
