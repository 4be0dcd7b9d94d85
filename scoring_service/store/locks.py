"""Locks of shares of a partition's leads.

Whoever works on many leads of a partition writes the partition's row, so that two of them meet as a conflict. A
transaction over a single lead that wrote it, too, would hold all others up for as long as it takes. It writes the lock
of the lead's share instead. Moving a partition's date or publication writes the row and all locks: it conflicts with
everybody who relies on them.
"""

import zlib
from collections.abc import Sequence

from shared.mongo import Database, Document

NAME = "scoring_locks"
TAKE: Document = {"$inc": {"transactions": 1}}
_SHARES = 4
"""Shares of a partition: two leads whose single updates meet conflict by chance in one of four cases."""


def of_lead(partition: int, lead_id: str) -> str:
    """Returns the id of the lock that a lead shares with some others of its partition."""
    # Not the checksum that chose the partition: leads of one partition would share one lock.
    return f"{partition}:{zlib.adler32(lead_id.encode()) % _SHARES}"


def rows(partition: int) -> Sequence[Document]:
    """Returns the locks of a partition as they are created."""
    return [{"_id": f"{partition}:{share}", "partition": partition, "transactions": 0} for share in range(_SHARES)]


async def take_all(database: Database, partition: int) -> None:
    """Takes all locks of a partition, in the transaction that moves it."""
    await database[NAME].update_many({"_id": {"$in": [row["_id"] for row in rows(partition)]}}, TAKE)
