"""Puts rows into an inbox and reads those that are pending."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from shared.inbox.collection import Inbox
from shared.mongo import Database
from tests.conftest import PARTITIONS
from tests.shared.letters import LETTERS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


ALL = range(PARTITIONS)


BATCH = 10


def inbox_of(database: Database, partitions: int = PARTITIONS) -> Inbox:
    return Inbox(database, LETTERS, partitions=partitions)


async def put(inbox: Inbox, *keys: str, time: datetime = NOW) -> None:
    """Puts one row per key, each a millisecond younger than the one before; its id is the key and its number."""
    rows = [
        {"_id": f"{key}-{index}", **inbox.pending_row(key, time + timedelta(milliseconds=index))}
        for index, key in enumerate(keys)
    ]
    await inbox.rows.insert_many(rows)


async def ids_pending(inbox: Inbox, partitions: Sequence[int] = ALL) -> list[str]:
    return [row["_id"] for row in await inbox.pending(partitions, 1000)]


def key_in(inbox: Inbox, partition: int) -> str:
    """Returns a key of a partition."""
    return next(key for key in map(str, range(10_000)) if inbox.partition_of(key) == partition)
