"""`make bench`: measures throughput and latency of the whole system, each next to a floor from the same run.

Machines are shared and noisy, so each figure is the median of several rounds; what counts is its ratio to the floor.
Nothing is asserted.
"""

import asyncio
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from grpc_health.v1 import health_pb2, health_pb2_grpc
from leadscore.ingest.v1 import ingest_pb2
from leadscore.scoring.v1 import scoring_pb2
from pymongo import AsyncMongoClient
from pymongo.write_concern import WriteConcern

from benchmarks import automations, heavy, model, overload
from shared import wire
from shared.mongo import Document
from testkit.system import System, running_system
from testkit.traffic import all_scored, send

ROUNDS = 3
BATCH = 500
BATCH_EVENTS = 30_000
BATCH_CLIENTS = 4
SINGLE_CALLS = 8_000
IN_FLIGHT = 100
STEADY_RATE = 500
STEADY_SECONDS = 10
READ_SECONDS = 0.02
KINDS = ("page_view", "download", "signup", "email_click")


def make_events(count: int, *, leads: int) -> list[ingest_pb2.Event]:
    """Returns new events with the current time and a few properties each."""
    run, now = uuid.uuid4().hex[:8], wire.to_timestamp(wire.now())
    events = []
    for number in range(count):
        event = ingest_pb2.Event(
            event_id=f"{run}-{number}",
            lead_id=f"{run}-lead-{random.randrange(leads)}",
            event_type=random.choice(KINDS),
            event_time=now,
            source="website",
        )
        event.properties.fields["url"].string_value = f"https://shop.example/products/{number % 97}"
        event.properties.fields["duration"].number_value = number % 60
        events.append(event)
    return events


async def end_to_end(system: System) -> float:
    """Returns events/s from the first call of a batch to the commit of the last event's score."""
    events = make_events(BATCH_EVENTS, leads=1_000)
    started = time.perf_counter()
    await send(system, events, batch=BATCH, clients=BATCH_CLIENTS)
    await all_scored(system, within=300)
    return BATCH_EVENTS / (time.perf_counter() - started)


async def plain_inserts(system: System) -> float:
    """Returns documents/s of a plain unordered insert_many (w: majority) of documents like the stored events."""
    now = wire.now()
    documents: list[Document] = [
        {
            "_id": event.event_id,
            "lead_id": event.lead_id,
            "event_type": event.event_type,
            "event_time": now,
            "properties": wire.to_dict(event.properties),
            "source": event.source,
            "partition": 1,
            "state": "pending",
            "accept_time": now,
        }
        for event in make_events(BATCH_EVENTS, leads=1_000)
    ]
    async with AsyncMongoClient[Document](system.mongo.uri) as client:
        floor = client["floor"].get_collection("events", write_concern=WriteConcern("majority", j=True))
        started = time.perf_counter()
        for start in range(0, len(documents), BATCH):
            await floor.insert_many(documents[start : start + BATCH], ordered=False)
        rate = BATCH_EVENTS / (time.perf_counter() - started)
        await client.drop_database("floor")
    return rate


async def single_calls(system: System) -> float:
    """Returns IngestEvent calls/s with a fixed number in flight."""
    requests = [ingest_pb2.IngestEventRequest(event=event) for event in make_events(SINGLE_CALLS, leads=500)]
    stub = system.ingest()

    async def call() -> None:
        await stub.IngestEvent(requests.pop(), timeout=30)

    return await _rate_of(call, SINGLE_CALLS)


async def empty_calls(system: System) -> float:
    """Returns health checks/s of the same server with the same number in flight: the throughput of gRPC alone."""
    stub = health_pb2_grpc.HealthStub(system.channel("ingest"))
    request = health_pb2.HealthCheckRequest()

    async def call() -> None:
        await stub.Check(request, timeout=30)  # type: ignore[attr-defined]  # the stubs lack it

    return await _rate_of(call, SINGLE_CALLS)


async def until_visible(system: System) -> list[float]:
    """Sends events at a steady rate; for one in ten, returns the seconds from acknowledgement to a visible score."""
    events = make_events(STEADY_RATE * STEADY_SECONDS, leads=400)
    for event in events[::10]:
        event.lead_id = f"watched-{event.event_id}"
    acknowledged: dict[str, float] = {}
    waits: list[float] = []

    async def ingest(event: ingest_pb2.Event) -> None:
        await system.ingest().IngestEvent(ingest_pb2.IngestEventRequest(event=event), timeout=30)
        if event.lead_id.startswith("watched-"):
            acknowledged[event.lead_id] = time.perf_counter()

    async def watch() -> None:
        # One reader for all events, so that reading does not become the load.
        while len(waits) < len(events[::10]):
            await asyncio.sleep(READ_SECONDS)
            if acknowledged:
                request = scoring_pb2.BatchGetLeadScoresRequest(lead_ids=list(acknowledged)[:500])
                found = (await system.scoring().BatchGetLeadScores(request, timeout=30)).lead_scores
                seen = time.perf_counter()
                waits.extend(seen - acknowledged.pop(lead.lead_id) for lead in found)

    watching = asyncio.create_task(watch())
    calls = []
    started = time.perf_counter()
    for number, event in enumerate(events):
        await asyncio.sleep(max(0.0, started + number / STEADY_RATE - time.perf_counter()))
        calls.append(asyncio.create_task(ingest(event)))
    await asyncio.gather(*calls, watching)
    return waits


async def measure(system: System) -> None:
    """Runs every measurement and prints the results."""
    await end_to_end(system)  # warm-up
    pairs = await _in_turn(system, end_to_end, plain_inserts)
    _print("end to end, batches of 500", pairs, "events/s", "plain insert_many")
    pairs = await _in_turn(system, single_calls, empty_calls)
    _print(f"durable single calls, {IN_FLIGHT} in flight", pairs, "calls/s", "empty gRPC call")
    waits = sorted(await until_visible(system))
    print(
        f"visible after acknowledgement, {STEADY_RATE} events/s: median {statistics.median(waits) * 1000:.0f} ms, "
        f"95th percentile {waits[len(waits) * 95 // 100] * 1000:.0f} ms, largest {waits[-1] * 1000:.0f} ms"
    )
    await overload.measure(system)
    await automations.measure(system)
    await model.measure(system)  # last, because it publishes another model
    await system.close_channels()


async def _in_turn(
    system: System, ours: Callable[[System], Awaitable[float]], floor: Callable[[System], Awaitable[float]]
) -> Sequence[tuple[float, float]]:
    return [(await ours(system), await floor(system)) for _ in range(ROUNDS)]


async def _rate_of(call: Callable[[], Awaitable[None]], count: int) -> float:
    started = time.perf_counter()
    left = count

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await call()

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    return count / (time.perf_counter() - started)


def _print(what: str, pairs: Sequence[tuple[float, float]], unit: str, floor: str) -> None:
    ours = statistics.median(one for one, _ in pairs)
    base = statistics.median(other for _, other in pairs)
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"{what}: {ours:,.0f} {unit}; {floor}: {base:,.0f}; ratio {ratio:.2f}", flush=True)


def main() -> None:
    """Runs all measurements on a new system; those of heavy leads start systems of their own."""
    with tempfile.TemporaryDirectory(prefix="leadscore-bench-") as directory, running_system(Path(directory)) as system:
        asyncio.run(measure(system))
    heavy.measure()


if __name__ == "__main__":
    main()
