"""The inbox: how one bounded context hands work to another through the database.

A producer inserts rows, a consumer marks them. Each row belongs to a partition, found from a key of its own; rows of
one key are never in two transactions of consumers that both commit without seeing each other.

Guarantee: a row that was put is handed to the consumer until a transaction has marked it, and no later; put and mark
are part of whatever transaction runs. Who drains, when, and how often at the same time, is of no importance to this:
two drains of one partition meet as a write conflict, and one of them begins again.

A row holds, beside what the producer writes: `partition`, `state` (`pending`, then the consumer's word for done) and
`put_time`. One that failed alone holds more, see `shared.parking`.
"""

import zlib
from collections.abc import Sequence
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from shared.mongo import Database, Document, create_indexes, durable
from shared.settings import StartupError

PENDING = "pending"
APART: Document = {"attempts": {"$exists": True}}
"""The condition for rows that failed alone, whatever became of them."""
_INDEXES = [
    IndexModel(
        [("state", ASCENDING), ("partition", ASCENDING), ("put_time", ASCENDING)],
        name="pending",
        partialFilterExpression={"state": PENDING},
    ),
    IndexModel(
        [("state", ASCENDING), ("park_time", ASCENDING), ("_id", ASCENDING)],
        name="apart",
        partialFilterExpression=APART,
    ),
]


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

    def has_partitions(self, numbers: object) -> bool:
        """Tells whether this is a list or tuple of partitions of this inbox."""
        return isinstance(numbers, list | tuple | range) and all(
            type(number) is int and 0 <= number < self._partitions for number in numbers
        )

    def pending_row(self, key: str, put_time: datetime) -> Document:
        """Returns the fields that make a document a pending row."""
        return {"partition": self.partition_of(key), "state": PENDING, "put_time": put_time}

    async def pending(
        self,
        partitions: Sequence[int],
        most: int,
        fields: Document | None = None,
        *,
        ids: Sequence[str] | None = None,
    ) -> list[Document]:
        """Returns pending rows, at most `most`, whole or with the fields of a projection.

        They are those among `ids`, or all but those that failed alone, which would hold the others up.

        They come partition by partition, the oldest of each first: with a backlog a transaction keeps to few of them,
        and so finds many rows of few keys; without one it takes what there is of all.
        """
        which = {"attempts": {"$exists": False}} if ids is None else {"_id": {"$in": list(ids)}}
        cursor = self.rows.find({"state": PENDING, "partition": {"$in": list(partitions)}, **which}, fields)
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
        """Creates the collection, its indexes, and the record of its number of partitions. The producer calls it."""
        await create_indexes(self._database, {self.rows.name: _INDEXES})
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
