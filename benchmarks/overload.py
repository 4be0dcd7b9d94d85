"""Measures overload: throughput and health checks with five times the clients that saturate ingest."""

import asyncio
import multiprocessing
import random
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc

from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure
from benchmarks.harness.separate import temporary_system
from shared import wire
from shared.rpc.retries import retry_seconds
from testkit.system import System
from testkit.traffic import all_scored

SECONDS = 5.0
TIMES = 5
SINGLES, BATCHES = 100, 8
"""Clients that saturate ingest."""
BATCH = 500
HEALTH_EVERY = 0.05
CALL_SECONDS = 10.0
FAST_SECONDS = 0.1
"""A generous limit for a single call on an idle machine."""


@dataclass(frozen=True, slots=True)
class Load:
    """Clients that each send the next request at once, and retry a refused one after the server's retry delay."""

    clients: int
    events: int

    def times(self, number: int) -> "Load":
        """Returns the same load with `number` times the clients."""
        return Load(self.clients * number, self.events)


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a load: accepted events/s, refused and failed calls, and the slowest health check in seconds."""

    goodput: float
    refused: int
    failed: int
    health: float = 0.0


def measure(options: Options) -> Iterator[Figure]:
    """Runs every measurement, with rounds that alternate between peak and overload first."""
    for load, what in ((Load(SINGLES, 1), "single calls"), (Load(BATCHES, BATCH), f"batches of {BATCH}")):
        with temporary_system(options) as system:
            found = asyncio.run(_measure(system, load, options))
        overloads, peaks, fast_again, at_rest = found
        name = f"overload, {TIMES} times {load.clients} clients, {what}"
        refused, failed = sum(each.refused for each in overloads), sum(each.failed for each in overloads)
        note = f"{refused:,} calls refused, {failed:,} failed"
        goodput = [each.goodput for each in overloads]
        yield Figure(
            f"{name}: accepted", "events/s", goodput, "at its peak", [each.goodput for each in peaks], note=note
        )
        health = [each.health * 1000 for each in overloads]
        yield Figure(f"{name}: slowest health check", "ms", health, "at rest", [at_rest * 1000])
        yield Figure(f"{name}: until a single call is fast again", "s", fast_again)


async def _measure(system: System, load: Load, options: Options) -> tuple[list[Found], list[Found], list[float], float]:
    peaks, overloads, fast_again = list[Found](), list[Found](), list[float]()
    for number in range(options.rounds):
        for times in (1, TIMES) if number % 2 else (TIMES, 1):
            await all_scored(system, within=300)  # so that scoring of earlier events does not compete
            found = await _under(system, load.times(times))
            (overloads if times == TIMES else peaks).append(found)
            if times == TIMES:
                fast_again.append(await _until_fast(system))
        say(f"overload, round {number + 1}: {overloads[-1].goodput:,.0f}, at its peak {peaks[-1].goodput:,.0f}")
    at_rest = await _idle_health(system)
    await system.close_channels()
    return overloads, peaks, fast_again, at_rest


async def _under(system: System, load: Load) -> Found:
    """Runs the load in another process, so that the health checks do not wait for its clients."""
    loop, health = asyncio.get_running_loop(), [0.0]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        running = loop.run_in_executor(pool, _run, system.target("ingest"), load)
        while not running.done():
            health.append(await _timed(lambda: _health(system)))
            await asyncio.sleep(HEALTH_EVERY)
        found = await running
    return Found(found.goodput, found.refused, found.failed, max(health))


def _run(target: str, load: Load) -> Found:
    return asyncio.run(_clients(target, load))


async def _clients(target: str, load: Load) -> Found:
    accepted = refused = failed = 0
    ends = time.perf_counter() + SECONDS

    async def client(stub: "ingest_pb2_grpc.IngestServiceAsyncStub") -> None:
        nonlocal accepted, refused, failed
        request = pb.BatchIngestEventsRequest(events=_events(load.events))
        while time.perf_counter() < ends:
            try:
                if load.events == 1:
                    await stub.IngestEvent(pb.IngestEventRequest(event=request.events[0]), timeout=CALL_SECONDS)
                    accepted += 1
                else:
                    outcomes = (await stub.BatchIngestEvents(request, timeout=CALL_SECONDS)).outcomes
                    accepted += sum(each.outcome == pb.OUTCOME_ACCEPTED for each in outcomes)
                request = pb.BatchIngestEventsRequest(events=_events(load.events))
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    failed += 1
                else:
                    refused += 1
                    await asyncio.sleep(retry_seconds(error) or 0.0)

    async with grpc.aio.insecure_channel(target) as channel:
        stub: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
        started = time.perf_counter()
        await asyncio.gather(*(client(stub) for _ in range(load.clients)))
    return Found(accepted / (time.perf_counter() - started), refused, failed)


def _events(count: int) -> list[pb.Event]:
    run, now = uuid.uuid4().hex, wire.to_timestamp(wire.now())
    events = []
    for number in range(count):
        lead = f"lead-{random.randrange(1_000)}"
        event = pb.Event(event_id=f"{run}-{number}", lead_id=lead, event_type="page_view", event_time=now)
        event.properties.fields["url"].string_value = f"https://shop.example/products/{number % 97}"
        event.properties.fields["duration"].number_value = number % 60
        events.append(event)
    return events


async def _until_fast(system: System) -> float:
    """Returns the seconds until a single call is fast."""
    started = time.perf_counter()
    while True:
        request = pb.IngestEventRequest(event=_events(1)[0])
        if await _timed(lambda: system.ingest().IngestEvent(request, timeout=CALL_SECONDS)) < FAST_SECONDS:  # noqa: B023
            return time.perf_counter() - started


async def _idle_health(system: System) -> float:
    return statistics.median([await _timed(lambda: _health(system)) for _ in range(20)])


async def _health(system: System) -> None:
    stub = health_pb2_grpc.HealthStub(system.channel("ingest"))
    answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=60)  # type: ignore[attr-defined]  # the stubs lack it
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise RuntimeError("health did not stay SERVING under load")


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await call()
    return time.perf_counter() - started
