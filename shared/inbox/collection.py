"""The inbox: a collection through which one service hands work to another.

A producer inserts rows, and a consumer marks them as done. A row has a key, which determines its partition, or it is a
bundle of items of one partition (`shared.inbox.bundles`), as the contract says. Two consumers never both commit
transactions over rows of one key without seeing each other.

Guarantee: the consumer receives a row until a transaction has marked it as done, and never afterwards. Inserts and
marks are part of the current transaction. Any number of drains may run at once: two drains of one partition cause a
write conflict, and one of them starts again.

Besides the fields of the producer, a row has its key as `lead_id` or its items and their `count`, its `partition`, its
`state` (`pending`, later the `done` state of the contract) and its `accept_time`, which never changes. A row that is
done has an `expire_time` if the contract `expires`. `shared.inbox.parking` describes the fields of rows that failed
alone.
"""

import random
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from pymongo import ASCENDING, DESCENDING

from shared import wire
from shared.bounded_reads import BoundedRows, find_raw, read_bounded
from shared.inbox import bundles
from shared.inbox.contract import InboxContract, report_newer_rows
from shared.inbox.schema import APART, PENDING, indexes
from shared.indexes import create_indexes
from shared.mongo import Database, Document, durable
from shared.partitions import BY_ID, Partitions, among
from shared.settings import StartupError

NO_ITEMS: Document = {"partition": 1, "count": 1}
"""A projection of what is known about a row without reading its items."""
_OLDEST_FIRST = [("partition", ASCENDING), ("accept_time", ASCENDING)]


class PartitionBacklog(NamedTuple):
    """The number of pending items of a partition, and the `accept_time` of the oldest."""

    items: int
    oldest: datetime


class Inbox:
    """A collection used as an inbox. The number of `partitions` never changes for a database.

    If the contract `expires`, MongoDB deletes rows when `keep` has passed since this consumer marked them as done.
    Methods that take rows need only the `_id` and the `partition` of each.
    """

    def __init__(
        self, database: Database, contract: InboxContract, *, partitions: int, keep: timedelta | None = None
    ) -> None:
        self.rows = database[contract.collection]
        self._contract = contract
        self._inboxes = database["inboxes"]
        self._database = database
        self.partitions = Partitions(partitions)
        self._keep = keep
        self._items_per_row = 1
        self._reported_versions: set[int] = set()
        # A row without a version predates versions, and can be read.
        self._readable: Document = {"schema_version": {"$not": {"$gt": contract.schema_version}}}

    def partition_of(self, key: str) -> int:
        """Returns the partition of a key; rows with one key share a partition."""
        return self.partitions.of(key)

    def has_partitions(self, numbers: object) -> bool:
        """Returns whether `numbers` is a sequence of valid partitions of this inbox."""
        return isinstance(numbers, list | tuple | range) and all(
            type(number) is int and 0 <= number < self.partitions.count for number in numbers
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
    ) -> BoundedRows:
        """Returns pending rows, whole or with the fields of a projection, up to the row that reaches `limit` items.

        With `ids`, `limit` counts rows. Without, it leaves out rows that failed alone, because they would hold up the
        others. It also leaves out rows with one of `exclude_keys`. `max_bytes` limits the total BSON size of the rows,
        but the first row is always returned.

        Rows are sorted by partition, then oldest first. With a backlog, a transaction therefore covers few partitions
        and finds many rows per key.
        """
        which: Document = {"attempts": {"$exists": False}} if ids is None else {"_id": {"$in": list(ids)}}
        which |= self._readable
        if exclude_keys:
            which["lead_id"] = {"$nin": list(exclude_keys)}
        cursor = find_raw(self.rows, {"state": PENDING, **among(partitions), **which}, fields).sort(_OLDEST_FIRST)
        if ids is None:
            # Without a hint, the planner may choose another index after a few rows, and cache that choice.
            cursor = cursor.hint("pending").batch_size(limit // self._items_per_row + 1)
            rows = await read_bounded(self.rows, cursor, limit, max_bytes, bundles.count_of)
            if rows and (fields is None or "count" in fields):
                self._items_per_row = sum(map(bundles.count_of, rows)) // len(rows)
            return rows
        cursor = cursor.hint(BY_ID)
        return await read_bounded(self.rows, cursor, limit, max_bytes)

    async def pending_of(
        self, key: str, limit: int, fields: Document | None = None, *, max_bytes: int | None = None
    ) -> BoundedRows:
        """Returns the oldest pending rows of one key, at most `limit`, without rows that failed alone.

        See `pending` for `fields` and `max_bytes`.
        """
        which = {"partition": self.partition_of(key), "lead_id": key, "attempts": {"$exists": False}, **self._readable}
        cursor = find_raw(self.rows, {"state": PENDING, **which}, fields).sort(_OLDEST_FIRST).hint("pending")
        return await read_bounded(self.rows, cursor, limit, max_bytes)

    async def are_pending(self, rows: Sequence[Document]) -> bool:
        """Returns whether all of the rows are still pending."""
        return await self.rows.count_documents(_these(rows) | {"state": PENDING}, hint=BY_ID) == len(rows)

    async def still_pending(self, rows: Sequence[Document]) -> set[str]:
        """Returns the ids of those of the rows that are still pending."""
        found = self.rows.find(_these(rows) | {"state": PENDING}, {"_id": 1}, hint=BY_ID)
        return {row["_id"] async for row in found}

    async def mark(self, rows: Sequence[Document]) -> None:
        """Marks pending rows as done. Call it in the transaction that does the work."""
        await self.rows.update_many(_these(rows), self._done())

    async def skip(self, rows: Sequence[Document]) -> None:
        """Marks the rows that are still pending as done, in one durable write outside of a transaction."""
        await durable(self.rows).update_many(_these(rows) | {"state": PENDING}, self._done(), hint=BY_ID)

    async def count_pending(self) -> int:
        """Returns the number of pending items."""
        return sum(each.items for each in (await self.backlog()).values())

    async def backlog(self) -> dict[int, PartitionBacklog]:
        """Returns the backlog of each partition that has pending rows, including rows that failed alone."""
        # A covered query: it reads index keys only.
        count = {"$sum": "$count" if self._contract.items else 1}
        stages: list[Document] = [
            {"$match": {"state": PENDING}},
            {"$group": {"_id": "$partition", "items": count, "oldest": {"$min": "$accept_time"}}},
        ]
        found = await self.rows.aggregate(stages, hint="pending")
        return {row["_id"]: PartitionBacklog(row["items"], row["oldest"]) async for row in found}

    async def count_up_to(self, limit: int, *, partition: int | None = None) -> int:
        """Returns the number of pending rows, of one partition if given; stops counting at `limit`."""
        condition: Document = {"state": PENDING}
        if partition is not None:
            condition["partition"] = partition
        return await self.rows.count_documents(condition, limit=limit, hint="pending")

    async def divide(self, row_id: str, partition: int) -> list[str]:
        """Divides a pending bundle into rows of one item, and returns their ids; none if there is nothing to divide."""
        if not self._contract.items:
            return []
        return await bundles.divide(self.rows, self._contract.items, row_id, partition)

    async def waiting(self) -> dict[int, datetime]:
        """Returns the `accept_time` of the oldest pending row of each partition that has any.

        It includes rows that failed alone.
        """
        return {row["_id"]: row["oldest"] for row in await self._first_rows()}

    async def waiting_for_drain(self) -> dict[int, datetime]:
        """Returns the `accept_time` of the oldest row that a drain would take, by partition.

        It leaves out rows that failed alone, and rows with a newer schema version than this program can read; it logs
        each newer version once.
        """
        first_rows = await self._first_rows()
        if not first_rows:
            return {}  # nothing is pending, so no row that failed alone is
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
        condition = {"state": PENDING, "partition": random.choice(partitions), **self._readable}  # noqa: S311 (not security)
        found = self.rows.find(condition, {"partition": 1}).sort("accept_time", DESCENDING).hint("pending").limit(1)
        return next(((row["_id"], row["partition"]) for row in await found.to_list()), None)

    async def record_stop(self, stop: Document | None) -> None:
        """Stores why a drain of this inbox has stopped; None clears it."""
        update: Document = {"$unset": {"stopped": ""}} if stop is None else {"$set": {"stopped": stop}}
        await durable(self._inboxes).update_one({"_id": self.rows.name}, update)

    async def recorded_stop(self) -> Document | None:
        """Returns the last value of `record_stop`."""
        record = await self._inboxes.find_one({"_id": self.rows.name}, {"stopped": 1})
        return record.get("stopped") if record else None

    async def migrate(self) -> None:
        """Creates the collection and its indexes, and records the number of partitions. The producer calls it."""
        await create_indexes(self._database, {self.rows.name: indexes(self._contract)})
        await durable(self._inboxes).update_one(
            {"_id": self.rows.name}, {"$setOnInsert": {"partitions": self.partitions.count}}, upsert=True
        )
        await self.check()

    async def record_shards(self, shards: int) -> None:
        """Stores over how many shards the partitions are spread; workers use it once they are started again."""
        await durable(self._inboxes).update_one({"_id": self.rows.name}, {"$set": {"shards": shards}})

    async def check(self) -> None:
        """Checks at startup that the database has this inbox, with this number of partitions.

        Raises:
            StartupError: The inbox is missing or has another number of partitions.
        """
        record = await self._inboxes.find_one({"_id": self.rows.name})
        if record is None:
            raise StartupError(f"the database has no inbox {self.rows.name!r}: run migrate of every service first")
        if record["partitions"] != self.partitions.count:
            created = "the database was created with another number of partitions"
            raise StartupError(
                f"{created}: set LEADSCORE_PARTITIONS={record['partitions']}, or move to a new database "
                "(docs/operations.md)"
            )
        self.partitions = Partitions(self.partitions.count, record.get("shards", 1))

    def _done(self) -> Document:
        """Returns the update that marks a row as done."""
        update: Document = {"$set": {"state": self._contract.done}}
        if self._keep is not None:
            update["$set"]["expire_time"] = wire.now() + self._keep
        if self._contract.cleared:
            update["$unset"] = dict.fromkeys(self._contract.cleared, "")
        return update

    async def _first_rows(self) -> list[Document]:
        """Returns the `accept_time` and version of the oldest row of each partition."""
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


def _these(rows: Sequence[Document]) -> Document:
    return {"_id": {"$in": [row["_id"] for row in rows]}, **among(row["partition"] for row in rows)}
