"""Faults of heavy load: a hot lead, many duplicates, too many clients, and concurrent decay runs."""

import asyncio
import time

import grpc
from leadscore.ingest.v1 import ingest_pb2, ingest_pb2_grpc
from redis.asyncio import Redis

from chaos.calls import CALL_SECONDS
from chaos.fault import Scene, fault
from chaos.load import CLIENTS

HOT_EVENTS = 2_000
HOT_BATCH = 100
DRAIN = b'"event": "drain"'
AT_ONCE = 60
HEALTH_SECONDS = 1.0
"""The limit for a health check under any load."""


@fault("hot lead", f"{HOT_EVENTS} events of one lead, for 8 lanes of two workers that keep losing their leases")
async def hot_lead(scene: Scene) -> None:
    """Each event must be scored once, although both workers drain the same partition."""
    world, second = scene.world, "scoring-worker-2"
    async with world.processes.extra_worker(second), Redis.from_url(world.redis.url) as redis:
        for _ in range(HOT_EVENTS // HOT_BATCH):
            await scene.load.send(scene.load.make(HOT_BATCH, lead="hottest"))
            await redis.flushall()
        await world.findings.until(
            lambda: DRAIN in world.processes.logs.since_start(second), f"{second} drained nothing"
        )


@fault("duplicates", "every event is sent ten more times, in random order and in random batches")
async def duplicates(scene: Scene) -> None:
    """Every event must be reported as a duplicate and change nothing."""
    await scene.load.send(scene.load.make(60))
    events = 10 * scene.load.acknowledged()
    scene.chance.shuffle(events)
    while events:
        cut = scene.chance.randrange(1, 200)
        await scene.load.repeat(events[:cut])
        events = events[cut:]


@fault("overload", "five times the clients, against an ingest service with one slot", clients=5 * CLIENTS)
async def overload(scene: Scene) -> None:
    """Excess calls are refused and retried; health checks still succeed."""
    world = scene.world
    await world.processes.restart("ingest", {"LEADSCORE_CALL_SLOTS": "1", "LEADSCORE_QUEUE_SECONDS": "0.01"})
    ends, refused = time.monotonic() + scene.chance.uniform(1.0, 3.0), 0
    while time.monotonic() < ends:
        refused += await _refusals(scene)
        began = time.monotonic()
        if not await asyncio.to_thread(world.processes.system.is_serving, "ingest"):
            world.findings.add("I15", "health was not SERVING under overload")
        if time.monotonic() - began > HEALTH_SECONDS:
            world.findings.add("I15", f"a health check took {time.monotonic() - began:.1f} s under overload")
        await asyncio.sleep(0.1)
    if not refused:
        world.findings.report_no_fault("no call was refused")
    await world.processes.restart("ingest")


async def _refusals(scene: Scene) -> int:
    """Sends concurrent events without retries and returns how many were refused."""
    stub = ingest_pb2_grpc.IngestServiceStub(scene.world.impatient_channel("ingest"))

    async def is_refused() -> bool:
        request = ingest_pb2.IngestEventRequest(event=scene.load.make(1)[0])
        try:
            await stub.IngestEvent(request, timeout=CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        return False

    return sum(await asyncio.gather(*(is_refused() for _ in range(AT_ONCE))))


@fault("decay", "repeated and concurrent decay runs for missed days")
async def decay(scene: Scene) -> None:
    """All runs together have the effect of one."""
    for _ in range(scene.chance.randrange(1, 3)):
        await scene.load.decay(days=scene.chance.randrange(1, 4))
        await asyncio.gather(*(scene.load.decay() for _ in range(3)))
