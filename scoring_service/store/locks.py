"""Locks within a partition.

A drain writes the row of its partition, so that two drains meet as a conflict. A page of a decay run or of a rollout,
or an update of a single lead, that wrote it, too, would delay all drains for as long as it takes. Such a transaction
writes a lock of its own instead, and meets a drain only on the leads that both write. Moving a partition's date or
publication writes the row and all locks: it conflicts with everybody who relies on them.
"""

import zlib
from collections.abc import Sequence

from shared.mongo import Database, Document

NAME = "scoring_locks"
TAKE: Document = {"$inc": {"transactions": 1}}
_SHARES = 4
"""Shares of a partition: two leads whose single updates meet conflict by chance in one of four cases."""


def of_pages(partition: int) -> str:
    """Returns the id of the lock of those who go over a partition's leads page by page."""
    return f"{partition}:pages"


def of_lead(partition: int, lead_id: str) -> str:
    """Returns the id of the lock that a lead shares with some others of its partition."""
    # Not the checksum that chose the partition: leads of one partition would share one lock.
    return f"{partition}:{zlib.adler32(lead_id.encode()) % _SHARES}"


def rows(partition: int) -> Sequence[Document]:
    """Returns the locks of a partition as they are created."""
    ids = [of_pages(partition), *(f"{partition}:{share}" for share in range(_SHARES))]
    return [{"_id": each, "partition": partition, "transactions": 0} for each in ids]


async def take_all(database: Database, partition: int) -> None:
    """Takes all locks of a partition, in the transaction that moves it."""
    await database[NAME].update_many({"_id": {"$in": [row["_id"] for row in rows(partition)]}}, TAKE)
