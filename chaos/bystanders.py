"""Bystanders: sends one event a second of leads that share a partition with a fault, and measures their latency."""

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
from chaos.sender import set_event_time
from chaos.waiting import FRESH_SECONDS, HEALTH_SECONDS
from chaos.world import PARTITIONS
from shared import wire
from testkit.system import WORKERS

EVENT_EVERY = 1.0
POLL_SECONDS = 0.02
HEALTH_EVERY = 0.25
CALL_SECONDS = 5.0
PATIENCE_SECONDS = 30.0
"""How long to wait for a bystander before it counts as lost."""
DELIVERED_SECONDS = 10.0
"""The time within which the delivery for a bystander must reach its receiver."""
HEALTHY = ("ingest", "scoring", *WORKERS)
"""The processes whose health is checked."""


@dataclass
class _Observer:
    scene: Scene
    during: str
    allowed: float
    affected: str
    is_over: bool = False
    acknowledged: dict[str, float] = field(default_factory=dict)
    """When the event of each bystander whose score is not yet visible was acknowledged."""
    undelivered: dict[str, float] = field(default_factory=dict)

    async def run(self, names: Iterator[str], *, delivered: bool) -> None:
        """Sends events until `is_over`, then waits for their effects; checks health at the same time."""
        observers = [asyncio.create_task(each) for each in (self._poll_scores(), *self._health_checks())]
        sending: set[asyncio.Task[None]] = set()
        while not self.is_over:
            sending.add(asyncio.create_task(self._send(next(names), delivered=delivered)))
            await asyncio.sleep(EVENT_EVERY)
        ends = time.monotonic() + PATIENCE_SECONDS
        while (self.acknowledged or self.undelivered) and time.monotonic() < ends:
            await asyncio.sleep(POLL_SECONDS)
        await asyncio.gather(*sending)
        self.is_over = True
        for task in observers:
            task.cancel()
        await asyncio.gather(*observers, return_exceptions=True)
        for what, waiting in (("visible", self.acknowledged), ("delivered", self.undelivered)):
            for lead_id in list(waiting):
                self._record(waiting, lead_id, what, is_lost=True)

    def _health_checks(self) -> Iterator[Coroutine[None, None, None]]:
        return (self._poll_health(name) for name in HEALTHY if name != self.affected)

    async def _send(self, name: str, *, delivered: bool) -> None:
        [event] = self.scene.load.make(1, lead=name)
        event.event_type = "signup"  # gives enough points for the rules to fire
        set_event_time(event, wire.now())
        await self.scene.load.send([event])
        self.acknowledged[event.lead_id] = time.monotonic()
        if delivered:
            self.undelivered[event.lead_id] = time.monotonic()

    async def _poll_scores(self) -> None:
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
                        self._record(self.acknowledged, lead.lead_id, "visible")
            delivered = self.scene.world.receipts.leads(GOOD) if self.undelivered else ()
            for lead_id in [each for each in self.undelivered if each in delivered]:
                self._record(self.undelivered, lead_id, "delivered")

    def _record(self, waiting: dict[str, float], lead_id: str, what: str, *, is_lost: bool = False) -> None:
        world, began = self.scene.world, waiting.pop(lead_id)
        seconds = time.monotonic() - began - world.stalls.since(began)
        allowed = self.allowed if what == "visible" else max(self.allowed, DELIVERED_SECONDS)
        world.journal.bystanders.append(Bystander(lead_id, what, seconds, allowed, self.during, is_lost))

    async def _poll_health(self, server: str) -> None:
        world = self.scene.world
        while True:
            began = time.monotonic()
            is_serving = await asyncio.to_thread(world.processes.system.is_serving, server)
            while not is_serving and time.monotonic() - began < HEALTH_SECONDS:
                # A worker that the round has just started may not be ready yet.
                await asyncio.sleep(POLL_SECONDS)
                is_serving = await asyncio.to_thread(world.processes.system.is_serving, server)
            seconds = time.monotonic() - began - world.stalls.since(began)
            world.journal.health.append(Health(server, seconds, is_serving, self.during))
            await asyncio.sleep(HEALTH_EVERY)


@contextlib.asynccontextmanager
async def bystanders(
    scene: Scene, lead: str, during: str, *, allowed: float = FRESH_SECONDS, delivered: bool = False, affected: str = ""
) -> AsyncIterator[None]:
    """Sends events of bystanders in the partition of a lead while the block runs; records the results in the journal.

    With `delivered`, the webhook of the rule that fires for them must arrive, too. Checks the health of every process
    except the `affected` one.
    """
    observer = _Observer(scene, during, allowed, affected)
    running = asyncio.create_task(observer.run(neighbours(scene, lead), delivered=delivered))
    try:
        yield
    finally:
        observer.is_over = True
        await running


def neighbours(scene: Scene, lead: str) -> Iterator[str]:
    """Yields names of leads that share a partition with the given lead, endlessly."""
    partition = _partition_of(scene.load.lead_id(lead))
    return (name for number in count() if _partition_of(scene.load.lead_id(name := f"{lead}-{number}")) == partition)


def _partition_of(lead_id: str) -> int:
    return zlib.crc32(lead_id.encode()) % PARTITIONS
