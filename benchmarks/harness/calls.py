"""What a client process does.

Each function builds its requests, connects, waits until all clients are ready, and calls. The functions have the
signature that `Clients.start` expects: `(ready, number, count, *arguments)`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc
from leadscore.intelligence.v1 import intelligence_pb2
from leadscore.intelligence.v1.intelligence_pb2_grpc import IntelligenceServiceStub
from leadscore.scoring.v1 import scoring_pb2, scoring_pb2_grpc

from benchmarks.harness.clients import Ready
from benchmarks.harness.load import Funnel, Load
from shared.rpc.retries import retry_seconds

if TYPE_CHECKING:  # only the stub files have it
    from leadscore.intelligence.v1.intelligence_pb2_grpc import IntelligenceServiceAsyncStub

CALL_SECONDS = 30.0
POLL_SECONDS = 0.01
"""The resolution of the times until an event is visible."""
GIVE_UP_SECONDS = 60.0

Call = Callable[[], Awaitable[object]]


def send_batches(ready: Ready, number: int, count: int, target: str, load: Load | Funnel, batch: int) -> int:
    """Sends a part of a load in batches, one at a time; returns the number of refusals, which are retried."""
    events = [event.to_message() for event in load.part(number, count)]
    requests = [
        pb.BatchIngestEventsRequest(events=events[start : start + batch]) for start in range(0, len(events), batch)
    ]

    async def run() -> int:
        async with grpc.aio.insecure_channel(target) as channel:
            await channel.channel_ready()
            ingest: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
            ready()
            return sum([await _send(ingest, request) for request in requests])

    return asyncio.run(run())


def single_calls(ready: Ready, number: int, count: int, target: str, load: Load, in_flight: int) -> int:
    """Sends each event of a load in a call of its own, with a fixed number of calls in flight; returns the refusals."""
    requests = [pb.IngestEventRequest(event=event.to_message()) for event in load.part(number, count)]

    def calls(channel: grpc.aio.Channel) -> Iterable[Call]:
        ingest: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
        return (partial(ingest.IngestEvent, each, timeout=CALL_SECONDS) for each in requests)

    return asyncio.run(_in_flight(ready, target, calls, in_flight))


def empty_calls(ready: Ready, _: int, count: int, target: str, calls: int, in_flight: int) -> int:
    """Calls the health check of a server, which shows what gRPC alone costs; returns the refusals."""

    def check(channel: grpc.aio.Channel) -> Iterable[Call]:
        health, request = health_pb2_grpc.HealthStub(channel), health_pb2.HealthCheckRequest()
        for _ in range(calls // count):
            yield partial(health.Check, request, timeout=CALL_SECONDS)  # type: ignore[attr-defined]  # the stubs lack it

    return asyncio.run(_in_flight(ready, target, check, in_flight))


def read_leads(
    ready: Ready, number: int, count: int, target: str, lead_ids: Sequence[str], batch: int, in_flight: int
) -> int:
    """Reads the intelligence on leads, `batch` of them a call; returns the refusals."""
    ids = lead_ids[number::count]

    def calls(channel: grpc.aio.Channel) -> Iterable[Call]:
        stub: IntelligenceServiceAsyncStub = IntelligenceServiceStub(channel)
        for start in range(0, len(ids), batch):
            if batch == 1:
                one = intelligence_pb2.GetLeadIntelligenceRequest(lead_id=ids[start])
                yield partial(stub.GetLeadIntelligence, one, timeout=CALL_SECONDS)
            else:
                many = intelligence_pb2.BatchGetLeadIntelligenceRequest(lead_ids=ids[start : start + batch])
                yield partial(stub.BatchGetLeadIntelligence, many, timeout=CALL_SECONDS)

    return asyncio.run(_in_flight(ready, target, calls, in_flight))


def send_steadily(ready: Ready, number: int, count: int, target: str, load: Load, rate: float) -> float:
    """Sends single events at a fixed rate, however long each takes; returns the events per second that were sent."""
    requests = [pb.IngestEventRequest(event=event.to_message()) for event in load.part(number, count)]

    async def run() -> float:
        async with grpc.aio.insecure_channel(target) as channel:
            await channel.channel_ready()
            ingest: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
            ready()
            began, calls = time.monotonic(), []
            for index, request in enumerate(requests):
                await asyncio.sleep(began + index / rate - time.monotonic())
                calls.append(asyncio.ensure_future(ingest.IngestEvent(request, timeout=CALL_SECONDS)))
            sent = len(requests) / (time.monotonic() - began + 1 / rate)
            await asyncio.gather(*calls)
            return sent

    return asyncio.run(run())


def probe(ready: Ready, number: int, count: int, targets: tuple[str, str], load: Load, rate: float) -> list[float]:
    """Sends single events of new leads at a fixed rate; returns the seconds from each acknowledgement to its score.

    One reader asks for all leads that it has not seen yet, every `POLL_SECONDS` while there are any, so that reading is
    not the load.
    """
    requests = [pb.IngestEventRequest(event=event.to_message()) for event in load.part(number, count)]
    for request in requests:
        request.event.lead_id = f"probe-{request.event.event_id}"
    return asyncio.run(_probe(ready, targets, requests, rate))


async def _probe(
    ready: Ready, targets: tuple[str, str], requests: Sequence[pb.IngestEventRequest], rate: float
) -> list[float]:
    acknowledged, waits = dict[str, float](), list[float]()
    async with grpc.aio.insecure_channel(targets[0]) as channel, grpc.aio.insecure_channel(targets[1]) as reading:
        await asyncio.gather(channel.channel_ready(), reading.channel_ready())
        ingest: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
        scoring: scoring_pb2_grpc.ScoringServiceAsyncStub = scoring_pb2_grpc.ScoringServiceStub(reading)

        async def send(request: pb.IngestEventRequest) -> None:
            await ingest.IngestEvent(request, timeout=CALL_SECONDS)
            acknowledged[request.event.lead_id] = time.monotonic()

        async def watch() -> None:
            while len(waits) < len(requests):
                await asyncio.sleep(POLL_SECONDS)
                if acknowledged:
                    asked = scoring_pb2.BatchGetLeadScoresRequest(lead_ids=list(acknowledged)[:500])
                    asked.read_mask.paths.append("score")
                    found = (await scoring.BatchGetLeadScores(asked, timeout=CALL_SECONDS)).lead_scores
                    waits.extend(time.monotonic() - acknowledged.pop(lead.lead_id) for lead in found)

        ready()
        began, tasks = time.monotonic(), [asyncio.create_task(watch())]
        for index, request in enumerate(requests):
            await asyncio.sleep(began + index / rate - time.monotonic())
            tasks.append(asyncio.create_task(send(request)))
        await asyncio.wait_for(asyncio.gather(*tasks), GIVE_UP_SECONDS)
    return waits


async def _send(ingest: "ingest_pb2_grpc.IngestServiceAsyncStub", request: pb.BatchIngestEventsRequest) -> int:
    """Sends a batch until all of its events are stored, and returns how often the server refused some of it."""
    refusals = 0
    while True:
        try:
            outcomes = (await ingest.BatchIngestEvents(request, timeout=CALL_SECONDS)).outcomes
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            refusals += 1
            await asyncio.sleep(retry_seconds(error) or 1.0)
            continue
        later = [each.outcome == pb.OUTCOME_RETRY_LATER for each in outcomes]
        if any(each.outcome == pb.OUTCOME_REJECTED for each in outcomes):
            raise ValueError("an event of the benchmark was rejected")
        if not any(later):
            return refusals
        refusals += 1
        left = [event for event, again in zip(request.events, later, strict=True) if again]
        request = pb.BatchIngestEventsRequest(events=left)
        await asyncio.sleep(outcomes[later.index(True)].retry_delay.ToTimedelta().total_seconds())


async def _in_flight(
    ready: Ready, target: str, make_calls: Callable[[grpc.aio.Channel], Iterable[Call]], in_flight: int
) -> int:
    """Makes calls with a fixed number in flight; repeats those that the server refuses, and returns their number."""
    refusals = 0
    async with grpc.aio.insecure_channel(target) as channel:
        await channel.channel_ready()
        calls = iter(list(make_calls(channel)))

        async def caller() -> None:
            nonlocal refusals
            for call in calls:
                while (pause := await _pause_after(call)) is not None:
                    refusals += 1
                    await asyncio.sleep(pause)

        ready()
        await asyncio.gather(*(caller() for _ in range(in_flight)))
    return refusals


async def _pause_after(call: Call) -> float | None:
    """Makes a call; returns None, or the seconds after which the server wants it again."""
    try:
        await call()
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise
        return retry_seconds(error) or 1.0
    return None
