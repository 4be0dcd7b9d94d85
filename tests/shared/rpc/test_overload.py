"""An overloaded server refuses calls and streams with a retry delay that clients follow."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from structlog.testing import capture_logs

from shared.rpc.admission import RETRY_SECONDS, Admission, Streams, nothing_refused
from shared.rpc.errors import Overloaded, status_of
from shared.rpc.handlers import guarded
from shared.rpc.retries import retry_seconds
from testkit.serving import refusal
from testkit.waiting import eventually
from tests.shared.rpc.teapot import ERRORS, POUR, STREAM, STREAMS, WATCH, Kitchen, Teapot, pour, stream
from tests.shared.waiting import until

LONG = 60.0


@contextlib.asynccontextmanager
async def opened(
    kitchen: Kitchen,
    *,
    gate: Callable[[], None] = nothing_refused,
    options: Sequence[tuple[str, str]] = (),
    stream_slots: int = 1,
) -> AsyncIterator[grpc.aio.Channel]:
    """Yields a channel to a teapot with one slot for calls and `stream_slots` for streams, and to a health service."""
    server = grpc.aio.server()
    streams = Streams(STREAMS, stream_slots, 0.01)
    Teapot(kitchen.pour).register(guarded(server, ERRORS, Admission(1, 0.01, gate), LONG, streams))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=list(options)) as channel:
            yield channel
    finally:
        await server.stop(None)


async def test_a_refusal_has_a_reason_and_a_retry_delay() -> None:
    kitchen = Kitchen(waits=True)
    async with opened(kitchen) as channel:
        first = asyncio.create_task(pour(channel, "green"))
        await asyncio.wait_for(kitchen.busy.wait(), 30)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pour(channel, "black")
        assert refusal(caught.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", [])
        delay = retry_seconds(caught.value)
        assert delay is not None
        assert 0.5 * RETRY_SECONDS <= delay <= 1.5 * RETRY_SECONDS
        kitchen.free.set()
        assert await first == "green"
        assert await pour(channel, "black") == "black"


async def test_health_checks_and_streams_take_no_slots_of_calls() -> None:
    kitchen = Kitchen(waits=True)
    async with opened(kitchen, stream_slots=5) as channel:
        first = asyncio.create_task(pour(channel, "green"))
        await asyncio.wait_for(kitchen.busy.wait(), 30)
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=30)  # type: ignore[attr-defined]
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        streams = [asyncio.create_task(stream(channel, "red white")) for _ in range(5)]
        kitchen.free.set()
        assert await asyncio.gather(first, *streams) == ["green", *[["red", "white"]] * 5]


class Counting(Kitchen):
    """A kitchen that counts the teas that it is pouring."""

    def __init__(self) -> None:
        super().__init__(waits=True)
        self.inside = 0
        self.limit = 0

    async def pour(self, tea: str) -> str:
        """Pours `now` immediately, and any other tea when the kitchen is free."""
        if tea == "now":
            return tea
        self.inside += 1
        self.limit = max(self.limit, self.inside)
        try:
            return await super().pour(tea)
        finally:
            self.inside -= 1


async def test_streams_are_limited_to_their_slots_and_do_not_block_calls() -> None:
    kitchen = Counting()
    async with opened(kitchen, stream_slots=4) as channel:
        streams = [asyncio.create_task(stream(channel, "green")) for _ in range(40)]
        await until(lambda: sum(task.done() for task in streams) == 36, what="36 of 40 are refused")
        for _ in range(20):
            assert await pour(channel, "now", timeout=30) == "now"
        assert (kitchen.inside, kitchen.limit) == (4, 4)
        kitchen.free.set()
        ended = await asyncio.gather(*streams, return_exceptions=True)
    refused = [error for error in ended if isinstance(error, grpc.aio.AioRpcError)]
    assert len(refused) == 36
    for error in refused:
        assert refusal(error) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", [])
        delay = retry_seconds(error)
        assert delay is not None
        assert 0.5 * RETRY_SECONDS <= delay <= 1.5 * RETRY_SECONDS
        assert "grpc-retry-pushback-ms" in dict(error.trailing_metadata())


async def test_watches_take_no_slots_of_streams() -> None:
    kitchen = Counting()
    async with opened(kitchen) as channel:
        watches = [asyncio.create_task(stream(channel, "green", name=WATCH)) for _ in range(20)]
        await until(lambda: kitchen.inside == 20, what="all watch")
        first = asyncio.create_task(stream(channel, "black"))
        await until(lambda: kitchen.inside == 21, what="a stream has its slot")
        kitchen.free.set()
        assert await asyncio.gather(first, *watches) == [["black"], *[["green"]] * 20]


async def test_a_cancelled_stream_releases_its_slot_even_if_nobody_reads_it() -> None:
    class Generous(Kitchen):
        async def pour(self, tea: str) -> str:
            return tea if tea == "black" else "x" * 1_000_000  # a few are more than flow control lets through

    async with opened(Generous()) as channel:
        for _ in range(3):
            method: Any = channel.unary_stream(STREAM, StringValue.SerializeToString, StringValue.FromString)
            call = method(StringValue(value="green " * 100))
            assert await call.read() is not grpc.aio.EOF
            with pytest.raises(grpc.aio.AioRpcError):
                await stream(channel, "black")
            call.cancel()

            async def has_slot() -> bool:
                try:
                    return await stream(channel, "black") == ["black"]
                except grpc.aio.AioRpcError:
                    return False

            await eventually(has_slot, what="the slot is free again")


async def test_a_failed_stream_releases_its_slot() -> None:
    async with opened(Kitchen(ZeroDivisionError())) as channel:
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream(channel, "fail")
            assert caught.value.code() == grpc.StatusCode.INTERNAL


async def test_a_refused_request_is_not_parsed() -> None:
    def shut() -> None:
        raise Overloaded(1.0)

    async with opened(Kitchen(), gate=shut) as channel:
        method: Any = channel.unary_unary(POUR)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(b"\xff")
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("call", [pour, stream])
async def test_a_refusal_by_another_server_gets_a_log_line_of_its_own(
    call: Callable[[grpc.aio.Channel, str], Awaitable[object]],
) -> None:
    elsewhere = rpc_status.to_status(status_of(Overloaded(2.5), ERRORS))
    metadata = grpc.aio.Metadata(*elsewhere.trailing_metadata)
    error = grpc.aio.AioRpcError(elsewhere.code, grpc.aio.Metadata(), metadata, details=elsewhere.details)
    with capture_logs() as lines:
        async with opened(Kitchen(error)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(channel, "tea")
    assert retry_seconds(caught.value) == 2.5
    assert [(line["event"], line["code"]) for line in lines] == [("rpc", "RESOURCE_EXHAUSTED")]


async def test_grpcs_built_in_retries_follow_the_retry_delay() -> None:
    """The policy's own back-off is an hour, so only the server's retry delay can explain a second attempt in time."""
    attempts = 0

    def once() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise Overloaded(0.01)

    policy = {
        "maxAttempts": 2,
        "initialBackoff": "3600s",
        "maxBackoff": "3600s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["RESOURCE_EXHAUSTED"],
    }
    config = json.dumps({"methodConfig": [{"name": [{}], "retryPolicy": policy}]})
    async with opened(Kitchen(), gate=once, options=[("grpc.service_config", config)]) as channel:
        assert await pour(channel, "green", timeout=60) == "green"
    assert attempts == 2
