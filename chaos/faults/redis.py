"""Faults of Redis: it is killed, flushed, unresponsive, full or unreachable; ingest must continue."""

import asyncio
import signal
from functools import partial

from redis.asyncio import Redis

from chaos.fault import EVERY_METHOD, Scene, fault

UNAFFECTED_GAP_SECONDS = 5.0
"""The longest allowed time without an acknowledgement when only Redis is down."""
AWAY_SECONDS = (6.0, 8.0)
"""The range of its downtime; long enough to detect a process that waits for Redis."""
_of_redis = partial(fault, longest_gap=UNAFFECTED_GAP_SECONDS, unaffected=EVERY_METHOD)


@_of_redis("redis killed", "Redis is killed and restarted")
async def killed(scene: Scene) -> None:
    """Redis stores nothing on disk, so it loses everything."""
    redis = scene.world.redis
    redis.kill()
    await asyncio.sleep(scene.chance.uniform(*AWAY_SECONDS))
    await asyncio.to_thread(redis.start)


@_of_redis("redis flushed", "FLUSHALL, several times")
async def flushed(scene: Scene) -> None:
    """Doorbells, leases and messages are lost."""
    async with Redis.from_url(scene.world.redis.url) as client:
        for _ in range(scene.chance.randrange(1, 6)):
            await client.flushall()
            await asyncio.sleep(scene.chance.uniform(0, 0.5))


@_of_redis(
    "redis hangs",
    "SIGSTOP of Redis: it accepts connections, but does not reply",
)
async def hangs(scene: Scene) -> None:
    """Callers wait until they time out."""
    redis = scene.world.redis
    redis.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(scene.chance.uniform(*AWAY_SECONDS))
    finally:
        redis.signal(signal.SIGCONT)


@_of_redis(
    "redis full",
    "maxmemory of 1 MiB without eviction: every write is refused",
)
async def full(scene: Scene) -> None:
    """Redis replies, but stores nothing."""
    async with Redis.from_url(scene.world.redis.url) as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        try:
            await asyncio.sleep(scene.chance.uniform(*AWAY_SECONDS))
        finally:
            await client.config_set("maxmemory", "0")


@_of_redis(
    "redis resets",
    "every connection to Redis is reset repeatedly",
)
async def resets(scene: Scene) -> None:
    """Drops the network between the services and Redis several times."""
    for _ in range(scene.chance.randrange(2, 6)):
        with scene.world.redis.proxy.away():
            await asyncio.sleep(scene.chance.uniform(0, 0.4))
        await asyncio.sleep(scene.chance.uniform(0, 0.4))
