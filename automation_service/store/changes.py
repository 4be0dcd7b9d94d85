"""The consumer's side of the inbox `score_changes`."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

from automation_service.domain.lead import Change
from automation_service.store import documents
from automation_service.store.schema import PARTITIONS
from shared import mongo
from shared.inbox.collection import Inbox
from shared.locks import take_locks
from shared.mongo import Database, Document

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

    async def pending(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> list[Change]:
        """Returns the oldest pending changes of the partitions; see `Changes`."""
        rows = await self._inbox.pending(partitions, limit, ids=ids)
        return sorted(map(documents.read_change, rows), key=lambda change: (change.lead_id, change.sequence))

    async def still_pending(self, changes: Sequence[Change]) -> list[Change]:
        """Returns the changes that are still pending; see `Changes`."""
        ids = {row["_id"] for row in await self._inbox.still_pending(_ids(changes))}
        return [change for change in changes if change.change_id in ids]

    async def lock(self, lead_ids: Collection[str]) -> None:
        """Takes the locks of the partitions of the leads; see `Changes`."""
        if lead_ids:
            await take_locks(self._database[PARTITIONS], set(map(self._inbox.partition_of, lead_ids)))

    async def mark(self, changes: Sequence[Change]) -> None:
        """Marks the changes as done; see `Changes`."""
        await self._inbox.mark(_ids(changes))

    async def skip(self, changes: Sequence[Change]) -> None:
        """Marks the changes that are still pending as done; see `Changes`."""
        await self._inbox.skip(_ids(changes))


def _ids(changes: Sequence[Change]) -> list[Document]:
    return [{"_id": change.change_id} for change in changes]
