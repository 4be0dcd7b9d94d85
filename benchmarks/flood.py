"""Measures calls with a right key beside a flood of calls with random keys, and beside one of plain refused calls."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import count as numbers

import grpc
from leadscore.client.keys import with_key
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc
from pymongo import MongoClient

from benchmarks.harness import reference
from benchmarks.harness.calls import CALL_SECONDS
from benchmarks.harness.clients import Ready
from benchmarks.harness.options import Options, in_turn, say
from benchmarks.harness.report import Figure, share_of_reference
from benchmarks.harness.running import Running
from benchmarks.ingest import IngestServer, ingest_alone
from shared import wire
from shared.access.keys import COLLECTION, ApiKey, new_key
from shared.access.ring import REFRESH_SECONDS
from shared.access.roles import Role

IN_FLIGHT = 32
SECONDS = 6.0
FLOOD_CLIENTS = 2
FLOOD_RATE = 10_000.0
"""Calls per second that the strangers try to make; a machine with two cores makes fewer."""
LEAD_SECONDS = 2.0
"""How long the flood runs before the calls that are counted begin, and after after they end."""
_REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.CANCELLED)


def right_keys(running: Running, options: Options) -> Iterator[Figure]:
    """Measures single calls with the right key during both floods."""
    seconds, floods = SECONDS * options.share, list[float]()
    with ingest_alone(running, {"LEADSCORE_AUTHENTICATION": "on"}) as server:
        key = _stored_key(server)

        def beside(flood: Callable[..., int]) -> float:
            server.empty()
            lasting = seconds + 2 * LEAD_SECONDS
            strangers = running.clients.start(
                flood, FLOOD_CLIENTS, server.target, key, lasting, FLOOD_RATE / FLOOD_CLIENTS
            )
            time.sleep(LEAD_SECONDS)
            [counted] = running.clients.run(keyed_calls, 1, server.target, key, seconds)
            floods.append(sum(each.result().result for each in strangers) / lasting)
            say(f"{floods[-1]:,.0f} calls/s of the flood")
            return counted.result / seconds

        pairs = in_turn(options, "right keys", partial(beside, random_keys), partial(beside, invalid_events))
    name = f"calls with the right key beside a flood of random keys, {IN_FLIGHT} in flight"
    note = f"floods of {min(floods):,.0f} to {max(floods):,.0f} calls/s"
    yield Figure(name, "calls/s", pairs.ours, "beside invalid events", pairs.reference, share_of_reference(0.9), note)


def keyed_calls(ready: Ready, _: int, __: int, target: str, key: str, seconds: float) -> int:
    """Sends single events with a key for some seconds; runs in a client process, and returns how many were stored."""

    async def run() -> int:
        ids, answered = numbers(random.randrange(1 << 60)), 0
        async with grpc.aio.insecure_channel(target) as channel:
            keyed = with_key(channel, key)
            ingest: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(keyed)
            ready()
            ends = time.monotonic() + seconds

            async def call() -> None:
                nonlocal answered
                while time.monotonic() < ends:
                    request = pb.IngestEventRequest(event=_event(next(ids)))
                    try:
                        await ingest.IngestEvent(request, timeout=CALL_SECONDS)
                    except grpc.aio.AioRpcError as error:
                        # gRPC drops some calls, without a look at them, while more than 1,000 wait for the server.
                        if error.code() is not grpc.StatusCode.CANCELLED:
                            raise
                    else:
                        answered += 1

            await asyncio.gather(*(call() for _ in range(IN_FLIGHT)))
        return answered

    return asyncio.run(run())


def random_keys(ready: Ready, _: int, __: int, target: str, ___: str, seconds: float, rate: float) -> int:
    """Sends single events, each with another random key; returns how many calls were made."""
    request = pb.IngestEventRequest(event=_event(0))

    def call(channel: grpc.aio.Channel) -> Callable[[], Awaitable[object]]:
        ingest: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
        return lambda: ingest.IngestEvent(request, metadata=_metadata(new_key().text), timeout=CALL_SECONDS)

    return asyncio.run(_flood(ready, target, call, seconds, rate))


def invalid_events(ready: Ready, _: int, __: int, target: str, key: str, seconds: float, rate: float) -> int:
    """Sends empty events with the right key, which are refused at once; returns how many calls were made."""

    def call(channel: grpc.aio.Channel) -> Callable[[], Awaitable[object]]:
        ingest: ingest_pb2_grpc.IngestServiceAsyncStub = ingest_pb2_grpc.IngestServiceStub(channel)
        return partial(ingest.IngestEvent, pb.IngestEventRequest(), metadata=_metadata(key), timeout=CALL_SECONDS)

    return asyncio.run(_flood(ready, target, call, seconds, rate))


def _metadata(key: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {key}"),)


async def _flood(
    ready: Ready,
    target: str,
    make_call: Callable[[grpc.aio.Channel], Callable[[], Awaitable[object]]],
    seconds: float,
    rate: float,
) -> int:
    """Begins calls at a rate, or as fast as this process can, without waiting for their answers."""
    calls, running = 0, set[asyncio.Task[None]]()
    async with grpc.aio.insecure_channel(target) as channel:
        call = make_call(channel)

        async def made() -> None:
            try:
                await call()
            except grpc.aio.AioRpcError as error:
                if error.code() not in _REFUSALS:
                    raise

        ready()
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            for _ in range(min(100, round(passed * rate) - calls)):
                task = asyncio.create_task(made())
                running.add(task)
                task.add_done_callback(running.discard)
                calls += 1
            await asyncio.sleep(0)
        for task in list(running):
            task.cancel()
    return calls


def _event(number: int) -> pb.Event:
    return pb.Event(
        event_id=f"flood-{number}",
        lead_id=f"lead-{number % 1_000}",
        event_type="page_view",
        event_time=wire.to_timestamp(wire.now()),
    )


def _stored_key(server: IngestServer) -> str:
    """Returns a key that the server knows."""
    new = new_key()
    key = ApiKey(new.key_id, "benchmark", frozenset({Role.INGEST}), new.digest, wire.now(), "benchmark")
    with MongoClient[reference.Document](server.mongo_uri) as client:
        client.get_default_database()[COLLECTION].insert_one(key.to_document())
    time.sleep(2 * REFRESH_SECONDS)  # a benchmark may wait; tests may not
    return new.text
