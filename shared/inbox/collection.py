"""The inbox: how one bounded context hands work to another through the database.

A producer inserts rows, a consumer marks them. Each row belongs to a partition, found from a key of its own; rows of
one key are never in two transactions of consumers that both commit without seeing each other.

Guarantee: a row that was put is handed to the consumer until a transaction has marked it, and no later; put and mark
are part of whatever transaction runs. Who drains, when, and how often at the same time, is of no importance to this:
two drains of one partition meet as a write conflict, and one of them begins again.

A row holds, beside what the producer writes: its key as `lead_id`, `partition`, `state` (`pending`, then the consumer's
word for done) and `accept_time`, the time of acceptance, which never changes. One that failed alone holds more, see
`shared.inbox.parking`.
"""

import random
import zlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import bson
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.cursor import AsyncCursor

from shared.inbox.contract import InboxContract, report_newer_rows
from shared.inbox.schema import APART, INDEXES, PENDING
from shared.indexes import create_indexes
from shared.mongo import Database, Document, durable
from shared.settings import StartupError


class PartitionBacklog(NamedTuple):
    """How many rows of a partition are pending, and when the oldest of them was put."""

    rows: int
    oldest: datetime


class PendingRows(list[Document]):
    """Rows that were read; `is_full` tells that reading stopped at a limit, so that more may be pending."""

    is_full = False


class Inbox:
    """A collection used as an inbox. The number of `partitions` is the same for the life of the database."""

    def __init__(self, database: Database, contract: InboxContract, *, partitions: int) -> None:
        self.rows = database[contract.collection]
        self._contract = contract
        self._inboxes = database["inboxes"]
        self._database = database
        self._partitions = partitions
        self._reported_versions: set[int] = set()
        # A row without a version is older than versions, and can be read.
        self._readable: Document = {"schema_version": {"$not": {"$gt": contract.schema_version}}}

    def partition_of(self, key: str) -> int:
        """Returns the partition of a key; rows with one key share a partition."""
        return zlib.crc32(key.encode()) % self._partitions

    def has_partitions(self, numbers: object) -> bool:
        """Tells whether this is a list or tuple of partitions of this inbox."""
        return isinstance(numbers, list | tuple | range) and all(
            type(number) is int and 0 <= number < self._partitions for number in numbers
        )

    def pending_row(self, key: str, accept_time: datetime) -> Document:
        """Returns the fields that make a document a pending row."""
        return {"lead_id": key, "partition": self.partition_of(key), "state": PENDING, "accept_time": accept_time}

    async def pending(
        self,
        partitions: Sequence[int],
        limit: int,
        fields: Document | None = None,
        *,
        ids: Sequence[str] | None = None,
        exclude_keys: Collection[str] = (),
        max_bytes: int | None = None,
    ) -> PendingRows:
        """Returns pending rows, at most `limit`, whole or with the fields of a projection.

        They are those among `ids`, or all but those that failed alone, which would hold the others up. Rows with one of
        `exclude_keys` are left out. With `max_bytes`, the rows returned have at most so many bytes of BSON together,
        unless the first one alone has more.

        They come partition by partition, the oldest of each first: with a backlog a transaction keeps to few of them,
        and so finds many rows of few keys; without one it takes what there is of all.
        """
        which: Document = {"attempts": {"$exists": False}} if ids is None else {"_id": {"$in": list(ids)}}
        which |= self._readable
        if exclude_keys:
            which["lead_id"] = {"$nin": list(exclude_keys)}
        cursor = self._find({"state": PENDING, "partition": {"$in": list(partitions)}, **which}, fields)
        cursor = cursor.sort([("partition", ASCENDING), ("accept_time", ASCENDING)])
        if ids is None:
            # The planner tries a few rows, may prefer another index by them, and would keep to it.
            cursor = cursor.hint("pending")
        return await self._read(cursor.limit(limit), limit, max_bytes)

    async def pending_of(
        self, key: str, limit: int, fields: Document | None = None, *, max_bytes: int | None = None
    ) -> PendingRows:
        """Returns the oldest pending rows of one key, at most `limit`, but for those that failed alone.

        `fields` and `max_bytes` are those of `pending`.
        """
        which = {"partition": self.partition_of(key), "lead_id": key, "attempts": {"$exists": False}, **self._readable}
        cursor = self._find({"state": PENDING, **which}, fields)
        cursor = cursor.sort([("partition", ASCENDING), ("accept_time", ASCENDING)]).hint("pending")
        return await self._read(cursor.limit(limit), limit, max_bytes)

    async def are_pending(self, rows: Sequence[Document]) -> bool:
        """Tells whether nobody has marked any of the rows since they were read."""
        ids = [row["_id"] for row in rows]
        return await self.rows.count_documents({"_id": {"$in": ids}, "state": PENDING}) == len(ids)

    async def still_pending(self, rows: Sequence[Document]) -> list[Document]:
        """Returns those of the rows that nobody has marked since they were read."""
        ids = [row["_id"] for row in rows]
        return await self.rows.find({"_id": {"$in": ids}, "state": PENDING}).to_list()

    async def mark(self, rows: Sequence[Document]) -> None:
        """Marks pending rows as done; to be called in the transaction that does the work."""
        await self.rows.update_many(
            {"_id": {"$in": [row["_id"] for row in rows]}}, {"$set": {"state": self._contract.done}}
        )

    async def count_pending(self) -> int:
        """Returns the number of pending rows."""
        return await self.rows.count_documents({"state": PENDING})

    async def backlog(self) -> dict[int, PartitionBacklog]:
        """Returns what is pending in each partition that has pending rows. Rows that failed alone count, too."""
        # All of it is done on index keys.
        stages: list[Document] = [
            {"$match": {"state": PENDING}},
            {"$group": {"_id": "$partition", "rows": {"$sum": 1}, "oldest": {"$min": "$accept_time"}}},
        ]
        found = await self.rows.aggregate(stages, hint="pending")
        return {row["_id"]: PartitionBacklog(row["rows"], row["oldest"]) async for row in found}

    async def count_up_to(self, limit: int, *, partition: int | None = None, key: str | None = None) -> int:
        """Returns how many rows are pending, of one partition or key if given, counting no further than `limit`."""
        condition: Document = {"state": PENDING}
        if partition is not None:
            condition["partition"] = partition
        if key is not None:
            condition["lead_id"] = key
        hint = "pending" if key is None else "pending_by_key"
        return await self.rows.count_documents(condition, limit=limit, hint=hint)

    async def heaviest_keys(self, partition: int, sample: int, limit: int) -> list[str]:
        """Returns the keys that most pending rows of a partition have, at most `limit`, by its oldest `sample` rows."""
        return await self._heaviest(partition, sample, limit, ASCENDING)

    async def heaviest_new_keys(self, partition: int, sample: int, limit: int) -> list[str]:
        """Returns the same by the newest rows: the keys of what is being put now."""
        return await self._heaviest(partition, sample, limit, DESCENDING)

    async def waiting(self) -> dict[int, datetime]:
        """Returns, for each partition with pending rows, the time at which the oldest was put.

        Rows that failed alone count, too.
        """
        return {row["_id"]: row["oldest"] for row in await self._first_rows()}

    async def waiting_for_drain(self) -> dict[int, datetime]:
        """Returns the same for the rows that a drain takes.

        It leaves out rows that failed alone, and rows with a newer schema version than this program can read; it logs
        each newer version once.
        """
        first_rows = await self._first_rows()
        oldest = {row["_id"]: row["oldest"] for row in first_rows}
        newer = {row["_id"]: row["version"] for row in first_rows if self._is_newer(row["version"])}
        for version in newer.values():
            self._report_newer_rows(version)
        stages: list[Document] = [{"$match": {"state": PENDING, **APART}}, {"$group": {"_id": "$partition"}}]
        with_failed = [row["_id"] async for row in await self.rows.aggregate(stages, hint="isolated")]
        for partition in {*with_failed, *newer}:
            oldest.pop(partition, None)
            first = await self.pending([partition], 1, {"accept_time": 1})
            if first:
                oldest[partition] = first[0]["accept_time"]
        return oldest

    async def newest(self) -> tuple[str, int] | None:
        """Returns the id and partition of the newest pending row of a random partition; None when there is none."""
        partitions = list(await self.waiting())
        if not partitions:
            return None
        condition = {"state": PENDING, "partition": random.choice(partitions), **self._readable}  # noqa: S311 (it guards nothing)
        found = self.rows.find(condition, {"partition": 1}).sort("accept_time", DESCENDING).hint("pending").limit(1)
        return next(((row["_id"], row["partition"]) for row in await found.to_list()), None)

    async def record_stop(self, stop: Document | None) -> None:
        """Stores that a drain of this inbox has stopped, and why; None when it goes on."""
        update: Document = {"$unset": {"stopped": ""}} if stop is None else {"$set": {"stopped": stop}}
        await durable(self._inboxes).update_one({"_id": self.rows.name}, update)

    async def recorded_stop(self) -> Document | None:
        """Returns what `record_stop` stored last."""
        record = await self._inboxes.find_one({"_id": self.rows.name}, {"stopped": 1})
        return record.get("stopped") if record else None

    async def migrate(self) -> None:
        """Creates the collection, its indexes, and the record of its number of partitions. The producer calls it."""
        await create_indexes(self._database, {self.rows.name: INDEXES})
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

    async def _first_rows(self) -> list[Document]:
        """Returns the acceptance time and the version of the oldest row of each partition, found by the index."""
        oldest = await self.rows.aggregate(
            [
                {"$match": {"state": PENDING}},
                {"$sort": {"state": ASCENDING, "partition": ASCENDING, "accept_time": ASCENDING}},
                {
                    "$group": {
                        "_id": "$partition",
                        "oldest": {"$first": "$accept_time"},
                        "version": {"$first": "$schema_version"},
                    }
                },
            ]
        )
        return await oldest.to_list()

    def _is_newer(self, version: int | None) -> bool:
        return version is not None and version > self._contract.schema_version

    def _report_newer_rows(self, version: int) -> None:
        if version not in self._reported_versions:
            self._reported_versions.add(version)
            report_newer_rows(self._contract, version, reader=self._contract.consumer)

    async def _heaviest(self, partition: int, sample: int, limit: int, order: int) -> list[str]:
        # All of it is done on index keys.
        stages: list[Document] = [
            {"$match": {"state": PENDING, "partition": partition}},
            {"$sort": {"accept_time": order}},
            {"$limit": sample},
            {"$group": {"_id": "$lead_id", "rows": {"$sum": 1}}},
            {"$sort": {"rows": DESCENDING, "_id": ASCENDING}},
            {"$limit": limit},
        ]
        return [row["_id"] async for row in await self.rows.aggregate(stages, hint="pending")]

    def _find(self, condition: Document, fields: Document | None) -> AsyncCursor[RawBSONDocument]:
        """Finds rows whose size is known before they are decoded."""
        options = self.rows.codec_options.with_options(document_class=RawBSONDocument)
        return self.rows.with_options(codec_options=options).find(condition, fields)

    async def _read(self, cursor: AsyncCursor[RawBSONDocument], limit: int, max_bytes: int | None) -> PendingRows:
        rows, size = PendingRows(), 0
        async with cursor:
            async for row in cursor:
                size += len(row.raw)
                if rows and max_bytes is not None and size > max_bytes:
                    rows.is_full = True
                    return rows
                rows.append(bson.decode(row.raw, self.rows.codec_options))
        rows.is_full = len(rows) == limit
        return rows
