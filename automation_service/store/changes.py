"""The consumer's side of the inbox `score_changes`."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from automation_service.domain.lead import Row
from automation_service.ports import PendingChanges, PendingRows
from automation_service.store import documents
from automation_service.store.schema import PARTITIONS
from shared import mongo
from shared.inbox.bundles import count_of
from shared.inbox.collection import NO_ITEMS, Inbox
from shared.locks import take_locks
from shared.mongo import Database, Document

MAX_BYTES = 16 * 1_048_576
"""Largest total of rows that are read at a time."""
T = TypeVar("T")


class MongoChanges:
    """Implements `Changes` on the inbox. A transaction may take `transaction_seconds`."""

    def __init__(self, database: Database, inbox: Inbox, *, transaction_seconds: float) -> None:
        self._database = database
        self._inbox = inbox
        self._seconds = transaction_seconds

    async def transact(self, body: Callable[[], Awaitable[T]]) -> T:
        """Runs `body` in a transaction; see `Changes`."""
        return await mongo.transact(self._database, body, seconds=self._seconds)

    async def pending(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> PendingRows:
        """Returns the oldest pending rows of the partitions; see `Changes`."""
        found = await self._inbox.pending(partitions, limit, NO_ITEMS, ids=ids)
        rows = PendingRows(Row(row["_id"], row["partition"]) for row in found)
        rows.changes, rows.is_full = sum(map(count_of, found)), found.is_full
        return rows

    async def read(self, rows: Sequence[Row]) -> PendingChanges:
        """Returns the changes in pending rows; see `Changes`."""
        partitions, ids = sorted({row.partition for row in rows}), [row.row_id for row in rows]
        found = await self._inbox.pending(partitions, len(rows), ids=ids, max_bytes=MAX_BYTES)
        changes = PendingChanges(change for row in found for change in documents.read_changes(row))
        changes.sort(key=lambda change: (change.lead_id, change.sequence))
        changes.is_full = found.is_full and len(found) < len(rows)
        return changes

    async def still_pending(self, rows: Collection[Row]) -> set[Row]:
        """Returns the rows that are still pending; see `Changes`."""
        ids = await self._inbox.still_pending(_documents(rows))
        return {row for row in rows if row.row_id in ids}

    async def lock(self, lead_ids: Collection[str]) -> None:
        """Takes the locks of the partitions of the leads; see `Changes`."""
        if lead_ids:
            await take_locks(self._database[PARTITIONS], set(map(self._inbox.partition_of, lead_ids)))

    async def mark(self, rows: Collection[Row]) -> None:
        """Marks rows as done; see `Changes`."""
        await self._inbox.mark(_documents(rows))

    async def skip(self, rows: Collection[Row]) -> None:
        """Marks the rows that are still pending as done; see `Changes`."""
        if rows:
            await self._inbox.skip(_documents(rows))


def _documents(rows: Collection[Row]) -> list[Document]:
    return [{"_id": row.row_id, "partition": row.partition} for row in rows]
