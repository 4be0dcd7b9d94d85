"""Whether a world is quiesced: lists the work that is still pending in the database and in Redis."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from pymongo.errors import PyMongoError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from chaos.world import World

DRAIN_SECONDS = 60.0
"""Once the fault is repaired, everything must be acknowledged, decayed and drained within this time."""
POLL_SECONDS = 0.1
QUEUES = ("drain_events", "drain_score_changes")


async def drained(world: World, ends: float) -> list[str]:
    """Waits until no work is pending; returns what is still pending at `ends` (monotonic clock)."""
    while True:
        try:
            waiting = [each async for each in _waiting(world)]
        except (PyMongoError, RedisError) as error:
            waiting = [f"the databases do not respond: {error!r}"[:200]]
        if not waiting or time.monotonic() > ends:
            return waiting
        await asyncio.sleep(POLL_SECONDS)


async def _waiting(world: World) -> AsyncIterator[str]:
    for name in ("events", "score_changes", "automation_executions"):
        if rows := await world.database[name].find({"state": "pending"}, {"_id": 1}).limit(3).to_list():
            yield f"{name} {[row['_id'] for row in rows]} and possibly more are pending"
    async with Redis.from_url(world.redis.url) as client:
        if leases := await client.keys("leadscore:*:lease:*"):
            yield f"leases {sorted(leases)[:3]} and possibly more are held"
        for queue in QUEUES:
            if count := await client.llen(f"leadscore:dramatiq:{queue}"):
                yield f"queue {queue} has {count} messages"
    status = await world.client.admin.command("serverStatus")
    if count := status["transactions"]["currentOpen"]:
        yield f"{count} transactions are open at {datetime.now(UTC):%H:%M:%S}"
