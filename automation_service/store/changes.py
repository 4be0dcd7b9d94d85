"""The consumer's side of the inbox `score_changes`."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from automation_service.domain.lead import Change
from automation_service.ports import PendingChanges
from automation_service.store import documents
from automation_service.store.schema import PARTITIONS
from shared import mongo
from shared.inbox.collection import Inbox
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

    async def pending(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> PendingChanges:
        """Returns the oldest pending changes of the partitions; see `Changes`."""
        rows = await self._inbox.pending(partitions, limit, ids=ids, max_bytes=MAX_BYTES)
        changes = PendingChanges(change for row in rows for change in documents.read_changes(row))
        changes.sort(key=lambda change: (change.lead_id, change.sequence))
        changes.is_full = rows.is_full
        return changes

    async def still_pending(self, changes: Sequence[Change]) -> list[Change]:
        """Returns the changes that are still pending; see `Changes`."""
        ids = await self._inbox.still_pending(self._rows(changes))
        return [change for change in changes if change.row_id in ids]

    async def lock(self, lead_ids: Collection[str]) -> None:
        """Takes the locks of the partitions of the leads; see `Changes`."""
        if lead_ids:
            await take_locks(self._database[PARTITIONS], set(map(self._inbox.partition_of, lead_ids)))

    async def mark(self, changes: Sequence[Change]) -> None:
        """Marks the rows of the changes as done; see `Changes`."""
        await self._inbox.mark(self._rows(changes))

    async def skip(self, changes: Sequence[Change]) -> None:
        """Marks the rows of the changes that are still pending as done; see `Changes`."""
        await self._inbox.skip(self._rows(changes))

    def _rows(self, changes: Sequence[Change]) -> list[Document]:
        """Returns id and partition of each row that holds one of the changes."""
        lead_ids = {change.row_id: change.lead_id for change in changes}
        return [{"_id": row_id, "partition": self._inbox.partition_of(lead_id)} for row_id, lead_id in lead_ids.items()]
