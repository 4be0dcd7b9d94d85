"""Reads the leads that have had no event for some time."""

from datetime import datetime

from pymongo import ASCENDING, DESCENDING

from scoring_service.domain.lead_query import InactiveLead
from scoring_service.store import documents
from shared.mongo import Database, Document
from shared.rpc.pagination import Cursor


class InactiveLeadReader:
    """Reads inactive leads along the index by last event time."""

    def __init__(self, database: Database) -> None:
        self._leads = database["leads"]

    async def page(self, since: datetime, after: Cursor, limit: int) -> list[InactiveLead]:
        """Returns one page of the leads whose last event is live and not later than a time, the latest first.

        `after` is the last event time and the id of the last lead of the previous page.
        """
        which: Document = {"last_event_time": {"$gt": documents.NEVER, "$lte": since}, "last_event_historical": False}
        if after:
            time, lead_id = after
            which["$or"] = [{"last_event_time": {"$lt": time}}, {"last_event_time": time, "_id": {"$gt": lead_id}}]
        found = self._leads.find(which, ["score", "last_event_time", "sequence"])
        rows = found.sort([("last_event_time", DESCENDING), ("_id", ASCENDING)]).limit(limit)
        return [InactiveLead(row["_id"], row["score"], row["last_event_time"], row["sequence"]) async for row in rows]
