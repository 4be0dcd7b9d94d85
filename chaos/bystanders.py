"""Bystanders of a round: leads that share a partition with what is heavy or broken, one event a second, and health."""

import asyncio
import contextlib
import time
import zlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import count

import grpc
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc

from chaos.fault import Scene
from chaos.journal import Bystander, Health
from chaos.receipts import GOOD
from chaos.waiting import FRESH_SECONDS, HEALTH_SECONDS
from chaos.world import PARTITIONS
from shared import wire
from testkit.system import WORKERS

EVENT_EVERY = 1.0
POLL_SECONDS = 0.02
HEALTH_EVERY = 0.25
CALL_SECONDS = 5.0
PATIENCE_SECONDS = 30.0
"""A bystander that is not there by then is given up."""
DELIVERED_SECONDS = 10.0
"""Within this time the rule that fires for a bystander has reached its receiver."""
HEALTHY = ("ingest", "scoring", *WORKERS)
"""Whose health is looked at."""


@dataclass
class _Watch:
    scene: Scene
    during: str
    allowed: float
    affected: str
    is_over: bool = False
    acknowledged: dict[str, float] = field(default_factory=dict)
    """When the event of a bystander was acknowledged, until its score is visible."""
    undelivered: dict[str, float] = field(default_factory=dict)

    async def run(self, names: Iterator[str], *, delivered: bool) -> None:
        """Sends, until it is told to end, and then waits for what was sent; health is looked at meanwhile."""
        beside = [asyncio.create_task(each) for each in (self._look(), *self._checks())]
        sending: set[asyncio.Task[None]] = set()
        while not self.is_over:
            sending.add(asyncio.create_task(self._send(next(names), delivered=delivered)))
            await asyncio.sleep(EVENT_EVERY)
        ends = time.monotonic() + PATIENCE_SECONDS
        while (self.acknowledged or self.undelivered) and time.monotonic() < ends:
            await asyncio.sleep(POLL_SECONDS)
        await asyncio.gather(*sending)
        self.is_over = True
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        for what, waiting in (("visible", self.acknowledged), ("delivered", self.undelivered)):
            for lead_id in list(waiting):
                self._enter(waiting, lead_id, what, is_lost=True)

    def _checks(self) -> Iterator[Coroutine[None, None, None]]:
        return (self._ask_health(name) for name in HEALTHY if name != self.affected)

    async def _send(self, name: str, *, delivered: bool) -> None:
        [event] = self.scene.load.make(1, lead=name)
        event.event_type = "signup"  # enough for the rules to fire
        event.event_time.CopyFrom(wire.to_timestamp(wire.now()))
        await self.scene.load.send([event])
        self.acknowledged[event.lead_id] = time.monotonic()
        if delivered:
            self.undelivered[event.lead_id] = time.monotonic()

    async def _look(self) -> None:
        stub: scoring_pb2_grpc.ScoringServiceAsyncStub = scoring_pb2_grpc.ScoringServiceStub(
            self.scene.world.channel("scoring")
        )
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if self.acknowledged:
                request = scoring_pb2.BatchGetLeadScoresRequest(lead_ids=list(self.acknowledged))
                with contextlib.suppress(grpc.aio.AioRpcError):
                    found = await stub.BatchGetLeadScores(request, timeout=CALL_SECONDS)
                    for lead in found.lead_scores:
                        self._enter(self.acknowledged, lead.lead_id, "visible")
            told = self.scene.world.receipts.leads(GOOD) if self.undelivered else ()
            for lead_id in [each for each in self.undelivered if each in told]:
                self._enter(self.undelivered, lead_id, "delivered")

    def _enter(self, waiting: dict[str, float], lead_id: str, what: str, *, is_lost: bool = False) -> None:
        world, began = self.scene.world, waiting.pop(lead_id)
        seconds = time.monotonic() - began - world.stalls.since(began)
        allowed = self.allowed if what == "visible" else max(self.allowed, DELIVERED_SECONDS)
        world.journal.bystanders.append(Bystander(lead_id, what, seconds, allowed, self.during, is_lost))

    async def _ask_health(self, server: str) -> None:
        world = self.scene.world
        while True:
            began = time.monotonic()
            is_serving = await asyncio.to_thread(world.system.is_serving, server)
            while not is_serving and time.monotonic() - began < HEALTH_SECONDS:
                # A worker that the round has just started may have yet to turn.
                await asyncio.sleep(POLL_SECONDS)
                is_serving = await asyncio.to_thread(world.system.is_serving, server)
            seconds = time.monotonic() - began - world.stalls.since(began)
            world.journal.health.append(Health(server, seconds, is_serving, self.during))
            await asyncio.sleep(HEALTH_EVERY)


@contextlib.asynccontextmanager
async def bystanders(
    scene: Scene, lead: str, during: str, *, allowed: float = FRESH_SECONDS, delivered: bool = False, affected: str = ""
) -> AsyncIterator[None]:
    """Has bystanders in the partition of a lead while the block runs; what becomes of them is entered in the journal.

    With `delivered` the rule that fires for them must reach its receiver, too. The health of all is looked at but that
    of the one that the fault has `affected`.
    """
    watch = _Watch(scene, during, allowed, affected)
    running = asyncio.create_task(watch.run(neighbours(scene, lead), delivered=delivered))
    try:
        yield
    finally:
        watch.is_over = True
        await running


def neighbours(scene: Scene, lead: str) -> Iterator[str]:
    """Yields names of leads that share a partition with one, without end."""
    partition = _partition_of(scene.load.lead_id(lead))
    return (name for number in count() if _partition_of(scene.load.lead_id(name := f"{lead}-{number}")) == partition)


def _partition_of(lead_id: str) -> int:
    return zlib.crc32(lead_id.encode()) % PARTITIONS
