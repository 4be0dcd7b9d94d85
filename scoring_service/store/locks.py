"""Locks within a partition.

A drain writes the row of its partition, so two drains of one partition conflict. If a page of a decay run or a rollout,
or an update of a single lead, wrote that row too, it would block all drains until it commits. It writes a lock of its
own instead, and conflicts with a drain only on leads that both write. A transaction that changes the decay date or the
publication of a partition writes the row and all locks, so it conflicts with everyone who has read them.
"""

import zlib
from collections.abc import Iterator, Sequence

from shared.locks import take_locks
from shared.mongo import Database, Document

NAME = "scoring_locks"
_SHARES = 4
"""Lead locks of a partition: concurrent single updates of two leads conflict by chance in one of four cases."""


def of_pages(partition: int) -> str:
    """Returns the id of the lock for pages of decay runs and rollouts."""
    return f"{partition}:pages"


def of_lead(partition: int, lead_id: str) -> str:
    """Returns the id of the lock that a lead shares with some others of its partition."""
    # The checksum that chooses the partition would give all leads of a partition the same lock.
    return f"{partition}:{zlib.adler32(lead_id.encode()) % _SHARES}"


def rows_of(partition: int) -> Iterator[Document]:
    """Yields the id and the partition of each lock of a partition."""
    return ({"_id": each, "partition": partition} for each in _of_partition(partition))


async def take(database: Database, partition: int, lock: str) -> None:
    """Takes a lock of a partition, in the transaction that relies on its decay date or publication."""
    await take_locks(database[NAME], [lock], {"partition": partition})


async def take_all(database: Database, partition: int) -> None:
    """Takes all locks of a partition, in the transaction that changes its decay date or publication."""
    await take_locks(database[NAME], _of_partition(partition), {"partition": partition})


def _of_partition(partition: int) -> Sequence[str]:
    return [of_pages(partition), *(f"{partition}:{share}" for share in range(_SHARES))]
