"""The hold on deliveries, in one row that exists while the hold is in force."""

from dataclasses import asdict
from datetime import datetime

from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from automation_service.domain.hold import Hold
from automation_service.store.cancellation import DUE_TIME, LEASE, MAX_CANCELLED, cancelling
from automation_service.store.schema import EXECUTIONS, HOLDS, PENDING
from shared import mongo
from shared.mongo import Database, Document
from shared.partitions import among

_ROW: Document = {"_id": "deliveries"}


class MongoHold:
    """Implements `HoldSwitch` on MongoDB."""

    def __init__(self, database: Database) -> None:
        self._holds = mongo.durable(database[HOLDS])
        self._executions = mongo.durable(database[EXECUTIONS])

    async def read(self) -> Hold | None:
        """Returns the hold in force; None if there is none."""
        row = await self._holds.find_one(_ROW, {"_id": 0})
        return Hold(**row) if row else None

    async def begin(self, hold: Hold) -> Hold:
        """Begins a hold, unless one is in force; returns the one in force."""
        try:
            row = await self._holds.find_one_and_update(
                _ROW, {"$setOnInsert": asdict(hold)}, {"_id": 0}, upsert=True, return_document=ReturnDocument.AFTER
            )
        except DuplicateKeyError:  # someone else has begun one, just now
            return await self.begin(hold)
        assert row is not None  # noqa: S101 (it was inserted if it was not there)
        return Hold(**row)

    async def end(self) -> None:
        """Ends the hold."""
        await self._holds.delete_one(_ROW)

    async def cancel(self, recorded_before: datetime, now: datetime) -> int:
        """Cancels pending deliveries of some executions; see `HoldSwitch`."""
        # A claim whose time has passed belongs to a worker that was killed.
        waiting = {"state": PENDING, "$or": [{"lease": ""}, {"due_time": {"$lte": now}}]}
        found = self._executions.find(
            {"state": PENDING, "record_time": {"$lt": recorded_before}, "deliveries": {"$elemMatch": waiting}},
            {"partition": 1},
        )
        rows = await found.limit(MAX_CANCELLED).to_list()
        these = {"_id": {"$in": [row["_id"] for row in rows]}, **among(row["partition"] for row in rows)}
        is_free = {"$or": [{"$eq": [LEASE, ""]}, {"$lte": [DUE_TIME, now]}]}
        await self._executions.update_many(these, cancelling(is_free))
        return len(rows)
