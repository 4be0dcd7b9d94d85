"""Faults of heavy leads: other leads of their partition must not be delayed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import islice
from typing import Any

from leadscore.ingest.v1 import ingest_pb2

from chaos.backlogs import record_event_backlog
from chaos.bystanders import bystanders, neighbours
from chaos.fault import Scene, fault
from chaos.sender import set_event_time
from chaos.waiting import VISIBLE_AGE
from shared import wire

SHUFFLED_EVENTS = 5_000
BURSTS, BURST_EVENTS = 260, 16
BURST_EVERY = timedelta(days=14)
BATCH = 500
SENDERS = 4
BACKLOG_SECONDS = 2.0
FAT_LEADS = 30
FAT_PROPERTIES: dict[str, Any] = {f"attribute-{number}": [*[""] * 300, "x" * 1_000] for number in range(64)}
"""Nearly the 64 KiB that an event may have, with many elements, which MongoDB stores at length."""


@fault("heavy lead shuffled", f"{SHUFFLED_EVENTS} events of one lead over a year, in random order")
async def shuffled(scene: Scene) -> None:
    """All events are scored, and bystanders do not wait for them."""
    events = scene.load.make(SHUFFLED_EVENTS, lead="heavy")
    first = wire.now() - timedelta(days=365)
    for number, event in enumerate(events):
        set_event_time(event, first + timedelta(days=365) * number / len(events))
    scene.chance.shuffle(events)
    async with bystanders(scene, "heavy", "heavy lead shuffled"), _watching_backlog(scene):
        await _send(scene, events)
        await _wait_until_scored(scene, "heavy", len(events))


@fault("heavy lead bursts", f"{BURSTS} bursts of one lead over ten years, decay over all of them, and one more event")
async def bursts(scene: Scene) -> None:
    """Gaps between events are the most work for decay."""
    events = scene.load.make(BURSTS * BURST_EVENTS, lead="bursts")
    first = wire.now() - BURSTS * BURST_EVERY
    for number, event in enumerate(events):
        burst, minute = divmod(number, BURST_EVENTS)
        set_event_time(event, first + burst * BURST_EVERY + timedelta(minutes=minute))
    async with bystanders(scene, "bursts", "heavy lead bursts"), _watching_backlog(scene):
        await _send(scene, events)
        await scene.load.decay(days=1)
        [event] = scene.load.make(1, lead="bursts")
        event.event_type = "page_view"
        set_event_time(event, wire.now())
        await scene.load.send([event])
        await scene.load.decay(days=1)
        await _wait_until_scored(scene, "bursts", len(events) + 1)


@fault(
    "fat attributes", f"{FAT_LEADS} leads of one partition with the largest possible attributes, and rules that fire"
)
async def fat_attributes(scene: Scene) -> None:
    """All changes of the partition are evaluated, and those of bystanders soon."""
    names = [*islice(neighbours(scene, "fat"), FAT_LEADS)]
    async with scene.world.processes.frozen("automation-worker"):  # so that one batch contains them all
        properties = wire.to_struct(FAT_PROPERTIES)
        for name in names:
            identify, signup = scene.load.make(2, lead=name)
            identify.event_type, signup.event_type = "identify", "signup"
            identify.properties.CopyFrom(properties)
            set_event_time(signup, wire.now())
            await scene.load.send([identify, signup])
    async with bystanders(scene, "fat", "fat attributes", delivered=True):
        await asyncio.sleep(scene.chance.uniform(4.0, 6.0))


async def _send(scene: Scene, events: list[ingest_pb2.Event]) -> None:
    batches = [events[start : start + BATCH] for start in reversed(range(0, len(events), BATCH))]

    async def sender() -> None:
        while batches:
            await scene.load.send(batches.pop())

    await asyncio.gather(*(sender() for _ in range(SENDERS)))


async def _wait_until_scored(scene: Scene, name: str, count: int) -> None:
    """Waits until the events of a lead are scored, up to a limit; the round's drain finds what is left."""
    lead, ends = {"_id": scene.load.lead_id(name)}, asyncio.get_running_loop().time() + VISIBLE_AGE.total_seconds() + 10
    while asyncio.get_running_loop().time() < ends:
        row = await scene.world.database["leads"].find_one(lead, {"event_count": 1})
        if row and row["event_count"] >= count:
            return
        await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def _watching_backlog(scene: Scene) -> AsyncIterator[None]:
    """Records the backlog repeatedly while the block runs: retries must not make its oldest event look younger."""

    async def look() -> None:
        while True:
            await record_event_backlog(scene.world, VISIBLE_AGE)
            await asyncio.sleep(BACKLOG_SECONDS)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
