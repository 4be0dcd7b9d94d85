"""Redis forgets, hangs, dies, or is full; ingest goes on."""

import asyncio
import signal
from functools import partial

from redis.asyncio import Redis

from chaos.fault import EVERY_METHOD, Scene, fault

UNAFFECTED_GAP_SECONDS = 5.0
"""Longest time without an acknowledgement when only Redis is away."""
AWAY_SECONDS = (6.0, 8.0)
"""For how long it is away: whoever waits for it would be found out."""
_of_redis = partial(fault, longest_gap=UNAFFECTED_GAP_SECONDS, unaffected=EVERY_METHOD)


@_of_redis("redis killed", "Redis is killed, and back after a while")
async def killed(scene: Scene) -> None:
    """It keeps nothing on disk."""
    redis = scene.world.redis
    redis.kill()
    await asyncio.sleep(scene.chance.uniform(*AWAY_SECONDS))
    await asyncio.to_thread(redis.start)


@_of_redis("redis flushed", "FLUSHALL, several times")
async def flushed(scene: Scene) -> None:
    """Rings, leases and messages are gone."""
    async with Redis.from_url(scene.world.redis.url) as client:
        for _ in range(scene.chance.randrange(1, 6)):
            await client.flushall()
            await asyncio.sleep(scene.chance.uniform(0, 0.5))


@_of_redis(
    "redis hangs",
    "SIGSTOP of Redis: it takes connections and does not answer",
)
async def hangs(scene: Scene) -> None:
    """Whoever asks waits for its time-out."""
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
    """It answers, and takes nothing."""
    async with Redis.from_url(scene.world.redis.url) as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        try:
            await asyncio.sleep(scene.chance.uniform(*AWAY_SECONDS))
        finally:
            await client.config_set("maxmemory", "0")


@_of_redis(
    "redis resets",
    "every connection to Redis is reset, again and again",
)
async def resets(scene: Scene) -> None:
    """A broken network between the services and Redis."""
    for _ in range(scene.chance.randrange(2, 6)):
        with scene.world.redis.proxy.away():
            await asyncio.sleep(scene.chance.uniform(0, 0.4))
        await asyncio.sleep(scene.chance.uniform(0, 0.4))
