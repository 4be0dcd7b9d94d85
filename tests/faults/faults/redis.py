"""Redis forgets, hangs, dies, or is full; ingest goes on."""

import asyncio
import signal
from collections.abc import AsyncIterator

from redis.asyncio import Redis

from tests.faults.fault import Scene, fault

UNHURT_SECONDS = 2.0
"""Longest time without an acknowledgement when only Redis is away."""


@fault("redis killed", "Redis is killed, and back after a while", longest_gap=UNHURT_SECONDS)
async def killed(scene: Scene) -> AsyncIterator[None]:
    """It keeps nothing on disk."""
    redis = scene.world.redis
    redis.kill()
    await asyncio.sleep(scene.chance.uniform(0.2, 2.0))
    yield
    await asyncio.to_thread(redis.start)


@fault("redis flushed", "FLUSHALL, several times", longest_gap=UNHURT_SECONDS)
async def flushed(scene: Scene) -> AsyncIterator[None]:
    """Rings, leases and messages are gone."""
    async with Redis.from_url(scene.world.redis.url) as client:
        for _ in range(scene.chance.randrange(1, 6)):
            await client.flushall()
            await asyncio.sleep(scene.chance.uniform(0, 0.5))
    yield


@fault("redis hangs", "SIGSTOP of Redis: it takes connections and does not answer", longest_gap=UNHURT_SECONDS)
async def hangs(scene: Scene) -> AsyncIterator[None]:
    """Whoever asks waits for its time-out."""
    redis = scene.world.redis
    redis.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(scene.chance.uniform(1.0, 3.0))
        yield
    finally:
        redis.signal(signal.SIGCONT)


@fault("redis full", "maxmemory of 1 MiB without eviction: every write is refused", longest_gap=UNHURT_SECONDS)
async def full(scene: Scene) -> AsyncIterator[None]:
    """It answers, and takes nothing."""
    async with Redis.from_url(scene.world.redis.url) as client:
        await client.config_set("maxmemory-policy", "noeviction")
        await client.config_set("maxmemory", "1mb")
        try:
            await asyncio.sleep(scene.chance.uniform(1.0, 3.0))
            yield
        finally:
            await client.config_set("maxmemory", "0")


@fault("redis resets", "every connection to Redis is reset, again and again", longest_gap=UNHURT_SECONDS)
async def resets(scene: Scene) -> AsyncIterator[None]:
    """A broken network between the services and Redis."""
    for _ in range(scene.chance.randrange(2, 6)):
        with scene.world.redis.proxy.away():
            await asyncio.sleep(scene.chance.uniform(0, 0.4))
        await asyncio.sleep(scene.chance.uniform(0, 0.4))
    yield
