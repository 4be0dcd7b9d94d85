"""Parking: counts the isolated attempts at a row, and sets aside rows that cannot be processed.

Guarantee: an isolated attempt is counted before it starts, so it counts even if the worker dies. A row whose last
allowed attempt failed is parked with the reason; only `retry` and `discard` change it afterwards. A discarded row is
never drained again.

In addition to the fields of every row, a row that was tried alone has `attempts` (the number of isolated attempts),
`retry_time` (when it may be tried again), and `reason` and `reason_code` (why the last attempt failed). A row in state
`parked` also has `park_time`. A row in state `discarded` has `discard_reason`, `discard_actor` and `discard_time`, too.
A row that succeeds in the end keeps the fields that it has. `accept_time` never changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from pymongo import ASCENDING, ReturnDocument
from pymongo.errors import PyMongoError

from shared import wire
from shared.deadlines import deadline
from shared.inbox.collection import Inbox
from shared.inbox.failures import Failure, ReasonCode
from shared.inbox.schema import APART, PENDING
from shared.mongo import Document, durable, lenient
from shared.rpc.pagination import Cursor

PARKED = "parked"
DISCARDED = "discarded"
MAX_ATTEMPTS = 5
CLAIM = timedelta(seconds=15)
"""Longer than any attempt: if a row is not settled by then, its worker is assumed dead."""
PAUSE = timedelta(seconds=1)
"""Delay after the first failed attempt; doubled after each further one."""
FARTHEST = 2 * CLAIM
"""How far ahead a `retry_time` can be: no delay is longer than `CLAIM`, and clocks may differ by as much again."""
ANSWER_SECONDS = 1.0
"""If a small write takes longer, the database is slow, and a time-out says nothing about the work."""
MAX_DUE = 100
"""The maximum number of rows that `due` returns."""


class IsolatedRow(NamedTuple):
    """A row that is tried alone: its partition, and the attempts made or begun."""

    row_id: str
    partition: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked row. `row` is the whole document, with the fields of the producer."""

    row_id: str
    attempts: int
    reason: str
    reason_code: ReasonCode
    park_time: datetime
    row: Document


class Parking:
    """Tracks the rows of one inbox that failed alone."""

    def __init__(self, inbox: Inbox) -> None:
        self.inbox = inbox
        self._rows = durable(inbox.rows)

    async def begin(self, row_id: str, partition: int) -> IsolatedRow | None:
        """Counts an attempt that is about to start; returns None if the row is done or another worker is trying it."""
        now = wire.now()
        row = await self._rows.find_one_and_update(
            {
                "_id": row_id,
                "partition": partition,
                "state": PENDING,
                "retry_time": {"$not": {"$gt": now, "$lte": now + FARTHEST}},
            },
            {"$inc": {"attempts": 1}, "$set": {"retry_time": now + CLAIM}},
            projection={"partition": 1, "attempts": 1},
            return_document=ReturnDocument.AFTER,
        )
        return _isolated_row(row) if row else None

    async def record_failure(self, isolated_row: IsolatedRow, failure: Failure) -> None:
        """Records a failure that was the fault of the row; the last one parks it."""
        if failure.is_final or isolated_row.attempts >= MAX_ATTEMPTS:
            await self.park(isolated_row, failure)
        else:
            retry_time = wire.now() + PAUSE * 2 ** (isolated_row.attempts - 1)
            await self._update(isolated_row, {"$set": {**_reason(failure), "retry_time": retry_time}})

    async def cancel_attempt(self, isolated_row: IsolatedRow) -> None:
        """Uncounts a failed attempt that says nothing about the row."""
        await self._update(isolated_row, {"$inc": {"attempts": -1}, "$set": {"retry_time": wire.now() + PAUSE}})

    async def is_answered(self, isolated_row: IsolatedRow) -> bool:
        """Returns whether the database completes a small durable write in time, so it is neither down nor slow."""
        try:
            with deadline(ANSWER_SECONDS):
                await self._update(isolated_row, {"$set": {"retry_time": wire.now() + CLAIM}})
        except PyMongoError:
            return False
        return True

    async def park(self, isolated_row: IsolatedRow, failure: Failure) -> None:
        """Parks a row, unless it was done or tried again in the meantime."""
        parked = {"state": PARKED, **_reason(failure), "park_time": wire.now()}
        await self._update(isolated_row, {"$set": parked, "$unset": {"retry_time": ""}})

    async def due(self) -> list[IsolatedRow]:
        """Returns the rows that are due for a retry, the longest overdue first."""
        now = wire.now()
        # A `retry_time` farther ahead was set before the clock went back. Without this, the row would wait that long.
        times = [{"retry_time": {"$lte": now}}, {"retry_time": {"$gt": now + FARTHEST}}]
        due = {"state": PENDING, **APART, "$or": times}
        rows = self._rows.find(due, {"partition": 1, "attempts": 1}).sort("retry_time", ASCENDING).limit(MAX_DUE)
        return [_isolated_row(row) async for row in rows]

    async def count(self) -> int:
        """Returns the number of parked rows."""
        return await self._rows.count_documents({"state": PARKED, **APART})

    async def count_isolated(self, limit: int) -> dict[int, int]:
        """Returns the number of isolated pending rows by attempts made; stops counting at `limit` rows."""
        stages: list[Document] = [
            {"$match": {"state": PENDING, **APART}},
            {"$limit": limit},
            {"$group": {"_id": "$attempts", "rows": {"$sum": 1}}},
        ]
        found = await self._rows.aggregate(stages, hint="isolated")
        return {row["_id"]: row["rows"] async for row in found}

    async def count_discarded(self) -> int:
        """Returns the number of discarded rows."""
        return await self._rows.count_documents({"state": DISCARDED, **APART})

    async def page(self, after: Cursor, limit: int) -> list[Parked]:
        """Returns parked rows after a cursor (park time and id), ordered by park time."""
        condition: Document = {"state": PARKED, **APART}
        if after:
            time, row_id = after
            condition["$or"] = [{"park_time": {"$gt": time}}, {"park_time": time, "_id": {"$gt": row_id}}]
        rows = lenient(self._rows).find(condition).sort([("park_time", ASCENDING), ("_id", ASCENDING)]).limit(limit)
        return [_parked(row) async for row in rows]

    async def retry(self, row_ids: Sequence[str] | None) -> int:
        """Makes parked rows pending again, all or those with the given ids, and returns how many.

        The sweeper rings the doorbell for them.
        """
        cleared = dict.fromkeys(("attempts", "reason", "reason_code", "park_time"), "")
        return await self._update_parked(row_ids, {"$set": {"state": PENDING}, "$unset": cleared})

    async def discard(self, row_ids: Sequence[str] | None, reason: str, actor: str) -> int:
        """Discards parked rows permanently, all or those with the given ids, and returns how many."""
        discarded = {"state": DISCARDED, **discard_fields(reason, actor, wire.now())}
        return await self._update_parked(row_ids, {"$set": discarded})

    async def _update_parked(self, row_ids: Sequence[str] | None, update: Document) -> int:
        which: Document = {} if row_ids is None else {"_id": {"$in": list(row_ids)}}
        return (await self._rows.update_many({"state": PARKED, **APART, **which}, update)).modified_count

    async def _update(self, isolated_row: IsolatedRow, update: Document) -> None:
        # Changes nothing if the row is done, or if another worker presumed this one dead and tried the row again.
        row_id, partition, attempts = isolated_row
        same = {"_id": row_id, "partition": partition, "state": PENDING, "attempts": attempts}
        await self._rows.update_one(same, update)


def discard_fields(reason: str, actor: str, time: datetime) -> Document:
    """Returns the fields that discarding adds to a row."""
    return {"discard_reason": reason, "discard_actor": actor, "discard_time": time}


def _reason(failure: Failure) -> Document:
    return {"reason": failure.reason, "reason_code": failure.code.value}


def _parked(row: Document) -> Parked:
    code = ReasonCode(row["reason_code"])
    return Parked(row["_id"], row["attempts"], row["reason"], code, row["park_time"], row)


def _isolated_row(row: Document) -> IsolatedRow:
    return IsolatedRow(row["_id"], row["partition"], row["attempts"])
