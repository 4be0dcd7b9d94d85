"""How much waits, as MongoDB tells it from its indexes."""

from collections.abc import Mapping
from datetime import datetime

from automation_service.domain.delivery import ExecutionState
from automation_service.ports import DueDeliveries
from automation_service.store import ANY_TEXT, DUE_INDEX, EXECUTIONS
from shared.inbox.breaker import StoppedDrain, stopped_drain
from shared.inbox.collection import Inbox
from shared.inbox.parking import Parking
from shared.mongo import Database, Document


class MongoBacklog:
    """`Backlogs` over the inbox and the executions."""

    def __init__(self, database: Database, inbox: Inbox) -> None:
        self._executions = database[EXECUTIONS]
        self._inbox = inbox
        self._parking = Parking(inbox)

    async def pending_changes(self) -> int:
        """Returns the number of changes that wait."""
        return await self._inbox.count_pending()

    async def oldest_changes(self) -> Mapping[int, datetime]:
        """Returns when the oldest change that waits was accepted, by partition."""
        return await self._inbox.waiting()

    async def parked_changes(self) -> int:
        """Returns the number of parked changes."""
        return await self._parking.count()

    async def stopped(self) -> StoppedDrain | None:
        """Returns why the drain has stopped, if it has."""
        return await stopped_drain(self._inbox)

    async def due_deliveries(self, now: datetime, limit: int) -> DueDeliveries:
        """Returns the deliveries that are due, of at most `limit` executions; see `Backlogs`.

        The index skips what waits for its next attempt, however much it is.
        """
        is_due = {"$elemMatch": {"endpoint": ANY_TEXT, "due_time": {"$lte": now}}}
        due_times = {"$filter": {"input": "$deliveries.due_time", "cond": {"$lte": ["$$this", now]}}}
        stages: list[Document] = [
            {"$match": {"state": ExecutionState.PENDING.value, "deliveries": is_due}},
            {"$limit": limit},
            {"$project": {"_id": 0, "due_time": due_times}},
            {"$unwind": "$due_time"},
            {"$group": {"_id": None, "count": {"$sum": 1}, "oldest": {"$min": "$due_time"}}},
        ]
        rows = await (await self._executions.aggregate(stages, hint=DUE_INDEX)).to_list()
        return DueDeliveries(rows[0]["count"], rows[0]["oldest"]) if rows else DueDeliveries(0, None)

    async def failed_executions(self, limit: int) -> int:
        """Returns the number of failed executions, at most `limit`."""
        return await self._executions.count_documents({"state": ExecutionState.FAILED.value}, limit=limit)
