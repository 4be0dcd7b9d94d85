"""Measures deliveries: throughput, latency, and how much a dead endpoint slows down the others."""

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence

import httpx
from bson.timestamp import Timestamp
from leadscore.automation.v1 import automation_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2
from pymongo import AsyncMongoClient

from benchmarks.harness import reference
from benchmarks.harness.options import Options, say
from benchmarks.harness.report import Figure, percentile
from benchmarks.harness.separate import temporary_system
from shared import wire
from shared.mongo import Database, Document
from testkit.receiver import SECRET, Receiver, Request, Writer, answering, receiving
from testkit.system import System
from testkit.traffic import send

ANSWER_SECONDS = 0.005
DELIVERIES = 1_500
AT_A_TIME = 12
WORKERS = ("automation-worker", "automation-worker-2")
"""One per core: a worker is one process with one event loop."""
LOW_LOAD = 150
LOW_LOAD_RATE = 5


def measure(options: Options) -> Iterator[Figure]:
    """Runs every measurement on a system of its own."""
    with temporary_system(options) as system:
        yield from asyncio.run(_measure(system, options))


async def _measure(system: System, options: Options) -> list[Figure]:
    for worker in WORKERS[1:]:
        system.start(worker)
    async with receiving() as receiver, receiving() as dead:
        receiver.behaviour = answering(200, seconds=ANSWER_SECONDS)
        dead.behaviour = _never
        alone, with_dead, plain = list[float](), list[float](), list[float]()
        for number in range(1, options.rounds + 1):
            alone.append(await deliveries(system, receiver))
            plain.append(await plain_posts(receiver))
            with_dead.append(await deliveries(system, receiver, dead))
            say(f"deliveries, round {number}: {alone[-1]:,.0f}/s, reference {plain[-1]:,.0f}/s")
        waits, references = await until_requested(system, receiver), await insert_and_post(system, receiver)
    await system.close_channels()
    name = f"deliveries of {len(WORKERS)} workers to a receiver that answers in {ANSWER_SECONDS * 1000:.0f} ms"
    until = f"from the scoring commit to the request, {LOW_LOAD_RATE} events/s"
    return [
        Figure(name, "/s", alone, f"plain httpx, {AT_A_TIME} at a time", plain),
        Figure("the same with a dead endpoint", "/s", with_dead, "without it", alone),
        Figure(
            f"{until}, median",
            "ms",
            [percentile(waits, 50) * 1000],
            "one majority insert and one POST",
            [percentile(references, 50) * 1000],
        ),
        Figure(f"{until}, 99th percentile", "ms", [percentile(waits, 99) * 1000]),
    ]


async def deliveries(system: System, receiver: Receiver, dead: Receiver | None = None) -> float:
    """Returns deliveries/s from the first to the last request; a dead endpoint, if any, has as many due.

    Includes the evaluation of rules, but not scoring: the workers start once everything is scored.
    """
    for worker in WORKERS:
        system.stop(worker)
    async with _rules(system, *(each for each in (dead, receiver) if each)):
        receiver.requests.clear()
        await _ingest(system, _events(DELIVERIES))
        for worker in WORKERS:
            system.start(worker)
        while len(receiver.requests) < DELIVERIES:
            await asyncio.sleep(0.05)
    times = sorted(request.time for request in receiver.requests)
    return (len(times) - 1) / (times[-1] - times[0])


async def plain_posts(receiver: Receiver) -> float:
    """Returns requests/s of plain httpx to the same receiver."""
    left, started = DELIVERIES, time.perf_counter()
    limits = httpx.Limits(max_connections=AT_A_TIME, max_keepalive_connections=AT_A_TIME)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:

        async def caller() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await client.post(receiver.url(), content=bytes(800))

        await asyncio.gather(*(caller() for _ in range(AT_A_TIME)))
    return DELIVERIES / (time.perf_counter() - started)


async def until_requested(system: System, receiver: Receiver) -> list[float]:
    """Returns the seconds from the commit of each change, according to the database's oplog, to its request."""
    receiver.requests.clear()
    async with AsyncMongoClient[Document](system.mongo.uri, tz_aware=True) as client:
        database = client.get_default_database()
        begins = (await database.command("hello"))["operationTime"]
        async with _rules(system, receiver):
            for event in _events(LOW_LOAD):
                await system.ingest().IngestEvent(ingest_pb2.IngestEventRequest(event=event), timeout=10)
                await asyncio.sleep(1 / LOW_LOAD_RATE)
            while len(receiver.requests) < LOW_LOAD:
                await asyncio.sleep(0.05)
        committed = await _commit_times(database, begins)
    return [
        request.time - committed[json.loads(request.body)["data"]["lead"]["lead_id"]] for request in receiver.requests
    ]


async def _commit_times(database: Database, begins: Timestamp) -> dict[str, float]:
    """Returns the commit time of each lead's first change; read afterwards, so it does not slow down the system."""
    found: dict[str, float] = {}
    inserts: list[Document] = [{"$match": {"operationType": "insert"}}]
    async with await database["score_changes"].watch(inserts, start_at_operation_time=begins) as stream:
        while len(found) < LOW_LOAD:
            inserted = await stream.next()
            for change in inserted["fullDocument"]["changes"]:
                found.setdefault(change["lead_id"], inserted["wallTime"].timestamp())
    return found


async def insert_and_post(system: System, receiver: Receiver) -> list[float]:
    """Returns the seconds of one journaled majority insert and one POST, for many repetitions."""
    found = []
    async with AsyncMongoClient[Document](system.mongo.uri) as client, httpx.AsyncClient(trust_env=False) as http:
        rows = client[reference.DATABASE].get_collection("inserts", write_concern=reference.MAJORITY)
        for number in range(LOW_LOAD):
            started = time.perf_counter()
            await rows.insert_one({"number": number})
            await http.post(receiver.url(), content=bytes(800))
            found.append(time.perf_counter() - started - ANSWER_SECONDS)
        await client.drop_database(reference.DATABASE)
    return found


@contextlib.asynccontextmanager
async def _rules(system: System, *receivers: Receiver) -> AsyncIterator[None]:
    """Creates one rule per receiver for the duration of the block."""
    stub, ids = system.automation(), [f"bench-{uuid.uuid4().hex[:8]}" for _ in receivers]
    for rule_id, receiver in zip(ids, receivers, strict=True):
        rule = pb.AutomationRule(rule_id=rule_id, enabled=True)
        rule.conditions.stages.append("hot")
        rule.actions.add().webhook.MergeFrom(pb.Webhook(url=receiver.url(), secrets=[SECRET]))
        await stub.CreateAutomationRule(pb.CreateAutomationRuleRequest(rule=rule), timeout=10)
    yield
    for rule_id in ids:
        await stub.DeleteAutomationRule(pb.DeleteAutomationRuleRequest(rule_id=rule_id), timeout=10)


def _events(count: int) -> list[ingest_pb2.Event]:
    """Returns one event for each of `count` new leads, with enough points to make the lead hot."""
    run, now = uuid.uuid4().hex[:8], wire.to_timestamp(wire.now())
    return [
        ingest_pb2.Event(event_id=f"{run}-{each}", lead_id=f"{run}-{each}", event_type="demo_request", event_time=now)
        for each in range(count)
    ]


async def _ingest(system: System, events: Sequence[ingest_pb2.Event]) -> None:
    await send(system, events, batch=500)
    async with AsyncMongoClient[Document](system.mongo.uri) as client:
        rows = client.get_default_database()["leads"]
        ids = [event.lead_id for event in events]
        while await rows.count_documents({"_id": {"$in": ids}}) < len(ids):
            await asyncio.sleep(0.05)


async def _never(_request: Request, _writer: Writer) -> None:
    await asyncio.sleep(3600)
