"""The partitions of a database: each lead belongs to one of them, with all of its rows.

Guarantee: the id of a lead alone determines its partition. In a sharded MongoDB, the rows of a partition are on one
shard, so a command that names the partitions of its rows reaches only the shards that hold them.
"""

import random
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable

from shared.mongo import Document

BY_ID = "_id_"
"""The index to follow where rows are named by id and partition: partitions alone would match far too many rows."""


class Partitions:
    """`count` partitions, spread over a number of shards. The count never changes for a database."""

    def __init__(self, count: int, shards: int = 1) -> None:
        self.count = count
        self._shards = shards

    def of(self, lead_id: str) -> int:
        """Returns the partition of a lead."""
        return self.of_checksum(checksum(lead_id))

    def of_checksum(self, number: int) -> int:
        """Returns the partition of a lead whose id has this checksum."""
        return number % self.count

    def shard_of(self, partition: int) -> int:
        """Returns the number of the shard that holds a partition: the first ones are on the first shard, and so on."""
        return ((partition + 1) * self._shards - 1) // self.count

    def on_one_shard(self, partitions: Collection[int]) -> list[int]:
        """Returns those of the partitions that are on the shard of one of them, drawn at random."""
        if self._shards == 1 or not partitions:
            return sorted(partitions)
        shard = self.shard_of(random.choice(list(partitions)))  # noqa: S311 (not security)
        return sorted(each for each in partitions if self.shard_of(each) == shard)

    def row(self, row_id: str, partition: int) -> Document:
        """Returns the condition for a row that is replaced: its id and, if there are several shards, its partition.

        By its id alone, MongoDB replaces a row in three quarters of the time, because it makes no query plan.
        """
        return {"_id": row_id} if self._shards == 1 else {"_id": row_id, "partition": partition}

    def rows(self, rows: Iterable[Document]) -> Document:
        """Returns the condition for rows that are deleted: their ids and, if there are several shards, partitions."""
        rows = list(rows)
        ids: Document = {"_id": {"$in": [row["_id"] for row in rows]}}
        return ids if self._shards == 1 else {**ids, **among(row["partition"] for row in rows)}

    def pin(self, lead_ids: Iterable[str]) -> Document:
        """Returns the condition that rows are in the partitions of some leads."""
        return among(self.of(lead_id) for lead_id in lead_ids)

    def lead(self, lead_id: str) -> Document:
        """Returns the condition that rows belong to a lead."""
        return {"partition": self.of(lead_id), "lead_id": lead_id}

    def leads(self, lead_ids: Collection[str]) -> Document:
        """Returns the condition that rows belong to some leads, for an index that begins with the lead."""
        return {"lead_id": {"$in": list(lead_ids)}, **self.pin(lead_ids)}

    def each_lead(self, lead_ids: Iterable[str]) -> Document:
        """Returns the condition that rows belong to some leads, for an index that begins with partition and lead."""
        by_partition = defaultdict[int, list[str]](list)
        for lead_id in lead_ids:
            by_partition[self.of(lead_id)].append(lead_id)
        # One list of partitions and one of leads would look for each lead in each partition.
        either = [{"partition": partition, "lead_id": {"$in": ids}} for partition, ids in by_partition.items()]
        return {"$or": either} if either else among(())


def checksum(lead_id: str) -> int:
    """Returns the checksum of the id of a lead, 32 bits."""
    return zlib.crc32(lead_id.encode())


def among(partitions: Iterable[int]) -> Document:
    """Returns the condition that rows are in some partitions."""
    return {"partition": {"$in": sorted(set(partitions))}}
