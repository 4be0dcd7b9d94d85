"""The inbox: how one bounded context hands work to another through the database.

A producer inserts rows, a consumer marks them. Each row belongs to a partition, found from a key of its own; rows of
one key are never in two transactions of consumers that both commit without seeing each other.

Guarantee: a row that was put is handed to the consumer until a transaction has marked it, and no later; put and mark
are part of whatever transaction runs. Who drains, when, and how often at the same time, is of no importance to this:
two drains of one partition meet as a write conflict, and one of them begins again.

A row holds, beside what the producer writes: `partition`, `state` (`pending`, then the consumer's word for done) and
`put_time`.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from pymongo import ASCENDING, IndexModel
from pymongo.errors import PyMongoError

from shared import logs
from shared.doorbell import MOST_TOGETHER, Doorbell, Lease
from shared.mongo import Database, Document, create_indexes, durable
from shared.settings import StartupError
from shared.tasks import is_cancelled

PENDING = "pending"
_INDEX = IndexModel(
    [("state", ASCENDING), ("partition", ASCENDING), ("put_time", ASCENDING)],
    name="pending",
    partialFilterExpression={"state": PENDING},
)
_LOG = logs.get(__name__)


class Inbox:
    """A collection used as an inbox.

    `name` is the collection's name, `done` the state of rows that the consumer is done with, `partitions` the number
    of partitions, the same for the life of the database.
    """

    def __init__(self, database: Database, name: str, *, done: str, partitions: int) -> None:
        self.rows = database[name]
        self._inboxes = database["inboxes"]
        self._database = database
        self._done = done
        self._partitions = partitions

    def partition_of(self, key: str) -> int:
        """Returns the partition of a key; rows with one key share a partition."""
        return zlib.crc32(key.encode()) % self._partitions

    def pending_row(self, key: str, put_time: datetime) -> Document:
        """Returns the fields that make a document a pending row."""
        return {"partition": self.partition_of(key), "state": PENDING, "put_time": put_time}

    async def pending(self, partitions: Sequence[int], most: int, fields: Document | None = None) -> list[Document]:
        """Returns pending rows, at most `most`, whole or with the fields of a projection.

        They come partition by partition, the oldest of each first: with a backlog a transaction keeps to few of them,
        and so finds many rows of few keys; without one it takes what there is of all.
        """
        cursor = self.rows.find({"state": PENDING, "partition": {"$in": list(partitions)}}, fields)
        return await cursor.sort([("partition", ASCENDING), ("put_time", ASCENDING)]).limit(most).to_list()

    async def still_pending(self, rows: Sequence[Document]) -> list[Document]:
        """Returns those of the rows that nobody has marked since they were read."""
        ids = [row["_id"] for row in rows]
        return await self.rows.find({"_id": {"$in": ids}, "state": PENDING}).to_list()

    async def mark(self, rows: Sequence[Document]) -> None:
        """Marks pending rows as done; to be called in the transaction that does the work."""
        await self.rows.update_many({"_id": {"$in": [row["_id"] for row in rows]}}, {"$set": {"state": self._done}})

    async def count_pending(self) -> int:
        """Returns the number of pending rows."""
        return await self.rows.count_documents({"state": PENDING})

    async def waiting(self) -> dict[int, datetime]:
        """Returns, for each partition with pending rows, the time at which the oldest was put."""
        oldest = await self.rows.aggregate(
            [
                {"$match": {"state": PENDING}},
                {"$sort": {"state": ASCENDING, "partition": ASCENDING, "put_time": ASCENDING}},
                {"$group": {"_id": "$partition", "oldest": {"$first": "$put_time"}}},
            ]
        )
        return {row["_id"]: row["oldest"] async for row in oldest}

    async def migrate(self) -> None:
        """Creates the collection, its index, and the record of its number of partitions. The producer calls it."""
        await create_indexes(self._database, {self.rows.name: [_INDEX]})
        await durable(self._inboxes).update_one(
            {"_id": self.rows.name}, {"$setOnInsert": {"partitions": self._partitions}}, upsert=True
        )
        await self.check()

    async def check(self) -> None:
        """Checks at start that the database was made for this number of partitions.

        Raises:
            StartupError: It was made for another number, or not made at all.
        """
        record = await self._inboxes.find_one({"_id": self.rows.name})
        if record is None:
            raise StartupError(f"the database has no inbox {self.rows.name!r}: run migrate of every service first")
        if record["partitions"] != self._partitions:
            made = record["partitions"]
            raise StartupError(f"the database was made with {made} partitions: set LEADSCORE_PARTITIONS={made}")


Step = Callable[[Sequence[int], int], Awaitable[int]]
"""`step(partitions, most)`: one transaction over at most so many rows of the partitions; returns how many it did."""


class Drainer:
    """Empties partitions; those that were rung for together are drained together.

    A transaction costs about the same for one row of one partition as for some rows of many, so under a steady trickle
    it is this that keeps scores fresh. `run()` must be running; run it twice for two transactions at a time.
    """

    def __init__(self, doorbell: Doorbell, step: Step, *, batch_rows: int, batches: int = 20) -> None:
        self._doorbell = doorbell
        self._step = step
        self._batch_rows = batch_rows
        self._batches = batches
        self._waiting: set[int] = set()
        self._changed = asyncio.Condition()

    async def drain(self, partitions: Sequence[int]) -> None:
        """Hands partitions over to the next drain; returns when there is room for them, not when they are drained.

        What is handed over and lost with the process is rung for again by the sweeper, sooner than by dramatiq.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._waiting) < MOST_TOGETHER)
            self._waiting.update(partitions)
            self._changed.notify_all()

    async def run(self) -> None:
        """Drains what waits, until it is cancelled."""
        while not is_cancelled():
            async with self._changed:
                await self._changed.wait_for(lambda: self._waiting)
                partitions, self._waiting = sorted(self._waiting), set()
                self._changed.notify_all()
            await self._drain_apart(partitions)

    async def _drain_apart(self, partitions: Sequence[int]) -> None:
        if not await self._drain(partitions) and len(partitions) > 1:
            # Whatever is wrong with one of them must not hold up the others.
            for partition in partitions:
                await self._drain([partition])

    async def _drain(self, partitions: Sequence[int]) -> bool:
        try:
            async with self._doorbell.lease(partitions) as lease:
                await self._empty(lease)
        except Exception as error:  # noqa: BLE001 (the rows are still pending, and the sweeper rings again)
            _LOG.warning("drain failed", partitions=partitions, error=" ".join(repr(error).split())[:500])
            return False
        return True

    async def _empty(self, lease: Lease) -> None:
        for _ in range(self._batches if lease.partitions else 0):
            if await self._step(lease.partitions, self._batch_rows) < self._batch_rows:
                return
            await self._doorbell.renew(lease)
        # Others shall have their turn.
        self._doorbell.ring(lease.partitions)


async def sweep(inbox: Inbox, doorbell: Doorbell, *, age: timedelta, every: float = 1.0) -> None:
    """Rings, until it is cancelled, for each partition in which a row has waited longer than `age`.

    It looks every `every` seconds.

    This is what makes the doorbell dispensable: whatever Redis or a worker lost is rung for again.
    """
    while not is_cancelled():
        try:
            before = datetime.now(UTC) - age
            doorbell.ring(partition for partition, oldest in (await inbox.waiting()).items() if oldest < before)
        except PyMongoError as error:
            _LOG.warning("sweep failed", inbox=inbox.rows.name, error=str(error))
        await asyncio.sleep(every)
