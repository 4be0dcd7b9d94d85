"""Measures bystanders: how long leads wait that share a partition with heavy work."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import count

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2

from benchmarks.harness.reference import partition_of
from benchmarks.harness.report import Figure, at_most, percentile
from shared import wire
from shared.rpc.retries import retry_seconds
from testkit.system import System

EVENT_EVERY = 1.0
PROBE_EVERY = 0.1
POLL_SECONDS = 0.01
CALL_SECONDS = 10.0
LINGER_SECONDS = 10.0
"""How long to wait for the last bystanders after the heavy work is over."""


class Bystanders:
    """Sends one event of a new lead in a partition every second, with health checks and reads; see `watching`."""

    def __init__(self, system: System, partition: int) -> None:
        self._system = system
        self._lead_ids = _leads_of(partition)
        self._unseen: dict[str, float] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self._is_over = False
        self.waits: list[float] = []
        """Seconds from acknowledgement until a read showed the score, or until the end if none did."""
        self.unseen = 0
        self.refused = 0
        self.health: list[float] = []
        self.reads: list[float] = []

    def __str__(self) -> str:
        lost = f", {self.unseen} never visible" if self.unseen else ""
        refused = f", {self.refused} refusals" if self.refused else ""
        return (
            f"bystanders during this: {_summary(self.waits)} of {len(self.waits)} events{lost}{refused}; "
            f"health: {_summary(self.health)}; reads: {_summary(self.reads)}"
        )

    async def run(self) -> None:
        """Sends and reads until `end` is called, then waits up to `LINGER_SECONDS` until all events are visible."""
        observers = [asyncio.create_task(each) for each in (self._watch(), self._probe_health(), self._probe_reads())]
        while not self._is_over:
            self._senders.add(asyncio.create_task(self._send(next(self._lead_ids))))
            await asyncio.sleep(EVENT_EVERY)
        ends = time.perf_counter() + LINGER_SECONDS
        while self._unseen and time.perf_counter() < ends:
            await asyncio.sleep(POLL_SECONDS)
        for task in (*observers, *self._senders):
            task.cancel()
        await asyncio.gather(*observers, *self._senders, return_exceptions=True)
        self.unseen = len(self._unseen)
        self.waits += [time.perf_counter() - acknowledged for acknowledged in self._unseen.values()]

    def end(self) -> None:
        """Stops sending."""
        self._is_over = True

    async def _send(self, lead_id: str) -> None:
        event = ingest_pb2.Event(event_id=f"{lead_id}-1", lead_id=lead_id, event_type="page_view")
        event.event_time.CopyFrom(wire.to_timestamp(wire.now()))
        while True:
            try:
                request = ingest_pb2.IngestEventRequest(event=event)
                await self._system.ingest().IngestEvent(request, timeout=CALL_SECONDS)
                break
            except grpc.aio.AioRpcError as error:
                self.refused += 1
                await asyncio.sleep(retry_seconds(error) or EVENT_EVERY)
        self._unseen[lead_id] = time.perf_counter()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self._unseen:
                continue
            request = scoring_pb2.BatchGetLeadScoresRequest(lead_ids=list(self._unseen)[:500])
            with contextlib.suppress(grpc.aio.AioRpcError):
                found = await self._system.scoring().BatchGetLeadScores(request, timeout=CALL_SECONDS)
                seen = time.perf_counter()
                self.waits += [seen - self._unseen.pop(lead.lead_id) for lead in found.lead_scores]

    async def _probe_health(self) -> None:
        stub = health_pb2_grpc.HealthStub(self._system.channel("scoring"))
        while True:
            began = time.perf_counter()
            with contextlib.suppress(grpc.aio.AioRpcError):
                await stub.Check(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS)  # type: ignore[attr-defined]  # the stubs lack it
            self.health.append(time.perf_counter() - began)
            await asyncio.sleep(PROBE_EVERY)

    async def _probe_reads(self) -> None:
        request = scoring_pb2.GetLeadScoreRequest(lead_id=next(self._lead_ids))
        await self._send(request.lead_id)
        while True:
            began = time.perf_counter()
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self._system.scoring().GetLeadScore(request, timeout=CALL_SECONDS)
            self.reads.append(time.perf_counter() - began)
            await asyncio.sleep(PROBE_EVERY)


@contextlib.asynccontextmanager
async def watching(system: System, partition: int) -> AsyncIterator[Bystanders]:
    """Measures the bystanders of a partition while the block runs; print the result afterwards."""
    bystanders = Bystanders(system, partition)
    running = asyncio.create_task(bystanders.run())
    try:
        yield bystanders
    finally:
        bystanders.end()
        await running


def of_all(found: Sequence[Bystanders]) -> Iterator[Figure]:
    """Yields the figures of all bystanders together."""
    waits = [wait for each in found for wait in each.waits]
    slowest = max(seconds for each in found for seconds in (*each.health, *each.reads, 0.0))
    note = f"of {len(waits)} events"
    yield Figure(
        "bystanders of heavy leads, 99th percentile", "s", [percentile(waits, 99)], goal=at_most(0.5), note=note
    )
    yield Figure("health and reads beside heavy leads, slowest", "s", [slowest], goal=at_most(0.3))


def _leads_of(partition: int) -> Iterator[str]:
    prefix = f"bystander-{uuid.uuid4().hex[:8]}"
    return (lead_id for number in count() if partition_of(lead_id := f"{prefix}-{number}") == partition)


def _summary(seconds: Sequence[float]) -> str:
    return f"99th percentile {percentile(seconds, 99):.2f} s, largest {max(seconds, default=0.0):.2f} s"
