"""`python -m tests.shared.inbox.dying_worker INBOX BAD SECONDS`: crashes on a letter, or reads slowly.

It prints a line when it begins and after each commit, and ends when no letter is pending.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta

from shared import mongo
from shared.inbox import broker, doorbell, parking
from shared.inbox.collection import Inbox
from shared.inbox.consumer import Drainer
from shared.inbox.doorbell import Doorbell
from shared.mongo import Document
from shared.tasks import running
from testkit.waiting import eventually
from tests.conftest import PARTITIONS
from tests.shared.letters import LETTERS

NAME = "letters"
BATCH = 64


async def main(mongo_uri: str, redis_url: str, queue: str, bad: str, seconds: float) -> None:
    """Works until no letter is pending."""
    # The leases and claims of a crashed worker expire soon, so that the test does not wait long.
    doorbell.LEASE_MILLISECONDS, parking.CLAIM = 200, timedelta(milliseconds=200)
    broker.REDIS_SECONDS = 10.0
    database = await mongo.connect(mongo_uri)
    inbox = Inbox(database, LETTERS, partitions=PARTITIONS)

    async def step(partitions: Sequence[int], limit: int, ids: Sequence[str] | None = None) -> int:
        rows: list[Document] = []

        async def body() -> None:
            nonlocal rows
            rows = await inbox.pending(partitions, limit, ids=ids)
            for row in rows:
                if row["_id"] == bad:
                    os._exit(9)
                await asyncio.sleep(seconds)
            await inbox.mark(rows)

        await mongo.transact(database, body, seconds=10)
        if rows:
            print("has read", flush=True)  # noqa: T201 (the test counts them)
        return len(rows)

    drainer = Drainer(inbox, Doorbell(broker.connect(redis_url), queue), step, batch_rows=BATCH)

    async def nothing_is_pending() -> bool:
        await drainer.drain(range(PARTITIONS))
        return not await inbox.count_pending()

    async with running(drainer.run(), drainer.run(), drainer.isolated_retries.run(every=0.01)):
        print("begins", flush=True)  # noqa: T201 (the test waits for it)
        await eventually(nothing_is_pending, what="no letter is pending")


if __name__ == "__main__":
    _, name, letter, pause = sys.argv
    asyncio.run(main(os.environ["MONGO"], os.environ["REDIS"], name, letter, float(pause)))
