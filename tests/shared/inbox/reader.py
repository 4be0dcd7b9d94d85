"""A consumer that fails on some letters, and what a worker runs around it."""

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell
from shared.mongo import Database, Document, transact
from shared.tasks import running
from testkit.waiting import eventually
from tests.conftest import PARTITIONS

ALL = range(PARTITIONS)


BATCH = 64


class Reader:
    """A consumer that fails on unreadable letters."""

    def __init__(self, database: Database, inbox: Inbox, *unreadable: str) -> None:
        self.unreadable = set(unreadable)
        self.error: Exception = ValueError("it is\n  illegible")
        self.tries: Counter[str] = Counter()
        self.sizes: list[int] = []
        self._database = database
        self._inbox = inbox

    async def step(self, partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        """Reads pending letters in one transaction."""
        rows: list[Document] = []

        async def body() -> None:
            nonlocal rows
            rows = await self._inbox.pending(partitions, limit, ids=ids)
            await self._inbox.mark(rows)
            if self.unreadable & {row["_id"] for row in rows}:
                raise self.error

        try:
            await transact(self._database, body, seconds=10)
        finally:
            self.sizes.append(len(rows))
            self.tries.update(row["_id"] for row in rows)
        return len(rows)


async def put_letters(inbox: Inbox, count: int, *, key: str = "") -> list[str]:
    """Puts letters into the inbox, all of one key if it is given."""
    start = datetime.now(UTC) - timedelta(minutes=1)
    rows = [
        {
            "_id": f"letter-{number:03}",
            "lead_id": key or str(number),
            **inbox.pending_row(key or str(number), start + timedelta(milliseconds=number)),
        }
        for number in range(count)
    ]
    await inbox.rows.insert_many(rows)
    return [row["_id"] for row in rows]


async def row(inbox: Inbox, row_id: str) -> Document:
    found = await inbox.rows.find_one({"_id": row_id})
    assert found is not None
    return found


async def states(inbox: Inbox) -> Counter[str]:
    return Counter([each["state"] async for each in inbox.rows.find({})])


@contextlib.asynccontextmanager
async def working(inbox: Inbox, doorbell: Doorbell, reader: Reader) -> AsyncIterator[Drainer]:
    """Runs everything that a worker runs except dramatiq."""
    drainer = Drainer(inbox, doorbell, reader.step, batch_rows=BATCH)
    async with running(drainer.run(), drainer.run(), drainer.isolated_retries.run(every=0.01)):
        yield drainer


async def drained(inbox: Inbox, drainer: Drainer, pending: int) -> None:
    async def left() -> bool:
        await drainer.drain(ALL)
        return await inbox.count_pending() == pending

    await eventually(left, what=f"{pending} rows wait")
