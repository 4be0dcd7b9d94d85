"""How much work is waiting, counted with the help of indexes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from automation_service.domain.delivery import ExecutionState
from automation_service.ports import Clock
from automation_service.store.hold import MongoHold
from automation_service.store.schema import ANY_TEXT, DUE_INDEX, EXECUTIONS, PENDING
from automation_service.usecases.backlog import Backlog
from shared.inbox.breaker import stopped_drain
from shared.inbox.collection import Inbox
from shared.inbox.parking import Parking
from shared.mongo import Database, Document

BEHIND = timedelta(seconds=30)
"""A partition is behind if its oldest change has been waiting for longer."""
MAX_PARTITIONS = 100
"""Partitions that are listed as behind."""
MAX_DUE_EXECUTIONS = 1_000
"""Executions whose due deliveries are counted: counting has to read them."""
MAX_FAILED_EXECUTIONS = 100_000
"""Failed executions that are counted: counting reads the index only."""


@dataclass(frozen=True, slots=True)
class DueDeliveries:
    """The number of due deliveries, and the due time of the oldest; None if there are none."""

    count: int
    oldest: datetime | None


class MongoBacklog:
    """Counts the pending changes in the inbox, and the due deliveries and failures among the executions."""

    def __init__(self, database: Database, inbox: Inbox, clock: Clock) -> None:
        self._executions = database[EXECUTIONS]
        self._inbox = inbox
        self._hold = MongoHold(database)
        self._clock = clock

    async def read(self) -> Backlog:
        """Returns the backlog. The numbers are read one after the other, so they may differ by what arrives between."""
        now = self._clock()
        pending = await self._inbox.count_pending()
        oldest = sorted((await self._inbox.waiting()).items(), key=lambda each: (each[1], each[0]))
        due = await self.due_deliveries(now, MAX_DUE_EXECUTIONS)
        return Backlog(
            pending_changes=pending,
            oldest_change_time=oldest[0][1] if oldest else None,
            parked_changes=await Parking(self._inbox).count(),
            due_deliveries=due.count,
            oldest_due_time=due.oldest,
            failed_executions=await self.failed_executions(MAX_FAILED_EXECUTIONS),
            behind=_behind(oldest, now),
            stopped=await stopped_drain(self._inbox),
            hold=await self._hold.read(),
        )

    async def due_deliveries(self, now: datetime, limit: int) -> DueDeliveries:
        """Returns the unclaimed due deliveries of up to `limit` executions.

        The index skips deliveries that are waiting for their next attempt, however many there are.
        """
        is_due = {"$elemMatch": {"endpoint": ANY_TEXT, "due_time": {"$lte": now}}}
        due_times = {"$filter": {"input": "$deliveries.due_time", "cond": {"$lte": ["$$this", now]}}}
        stages: list[Document] = [
            {"$match": {"state": PENDING, "deliveries": is_due}},
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


def _behind(oldest: Sequence[tuple[int, datetime]], now: datetime) -> Sequence[tuple[int, datetime]]:
    return [(partition, time) for partition, time in oldest if now - time > BEHIND][:MAX_PARTITIONS]
