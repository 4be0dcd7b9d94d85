"""A nested deadline can only be earlier, and no outgoing call or MongoDB operation outlasts it."""

import asyncio
import time
from collections.abc import AsyncIterator
from unittest.mock import Mock

import grpc
import pymongo
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.wrappers_pb2 import DoubleValue
from pymongo.errors import PyMongoError

from shared import deadlines
from shared.mongo import Database, is_timeout
from shared.rpc.channels import connect
from shared.rpc.handlers import Context
from shared.settings import CallerSettings, load

SLACK = 20.0

ROUNDING = 0.1
"""gRPC rounds the timeout that it sends up; a call of 8 s was seen to arrive with 8.009 s."""


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server that returns the remaining seconds of a call (-1: no deadline), or never responds."""

    async def time_remaining(request: Empty, context: Context) -> DoubleValue:
        left = context.time_remaining()
        return DoubleValue(value=-1 if left is None else left)

    async def never(request: Empty, context: Context) -> DoubleValue:
        await asyncio.Event().wait()
        raise AssertionError

    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            method, request_deserializer=Empty.FromString, response_serializer=DoubleValue.SerializeToString
        )
        for name, method in (("TimeRemaining", time_remaining), ("Never", never))
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Clock", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with connect(f"127.0.0.1:{port}", load(CallerSettings)) as opened:
            yield opened
    finally:
        await server.stop(None)


async def ask(channel: grpc.aio.Channel, name: str = "TimeRemaining", *, own: float | None = None) -> float:
    """Returns the remaining seconds that the server sees; `own` is the time-out of the call itself."""
    method = channel.unary_unary(
        f"/test.Clock/{name}", request_serializer=Empty.SerializeToString, response_deserializer=DoubleValue.FromString
    )
    return float((await method(Empty(), timeout=own)).value)


async def test_the_default_applies_without_a_deadline() -> None:
    assert deadlines.seconds_left() == deadlines.DEFAULT_SECONDS


async def test_the_remaining_time_falls_to_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000.0
    monkeypatch.setattr(deadlines, "time", Mock(monotonic=lambda: now))
    with deadlines.deadline(5):
        assert deadlines.seconds_left() == 5
        now += 4
        assert deadlines.seconds_left() == 1
        now += 4
        assert deadlines.seconds_left() == 0
    assert deadlines.seconds_left() == deadlines.DEFAULT_SECONDS


async def test_a_nested_deadline_can_only_be_earlier() -> None:
    with deadlines.deadline(500):
        with deadlines.deadline(6000):
            assert 400 < deadlines.seconds_left() <= 500
            assert 400 < _mongo_left() <= 500
        with deadlines.deadline(100):
            assert deadlines.seconds_left() <= 100
            assert _mongo_left() <= 100
        assert 400 < deadlines.seconds_left() <= 500, "the enclosing deadline is expected again"


async def test_an_error_in_the_block_removes_the_deadline_too() -> None:
    with pytest.raises(ZeroDivisionError), deadlines.deadline(1):
        raise ZeroDivisionError
    assert deadlines.seconds_left() == deadlines.DEFAULT_SECONDS


async def test_tasks_have_separate_deadlines() -> None:
    async def left(seconds: float) -> float:
        with deadlines.deadline(seconds):
            await asyncio.sleep(0)
            return deadlines.seconds_left()

    near, far = await asyncio.gather(left(100), left(1000))
    assert near <= 100 + ROUNDING
    assert far > 900


async def test_a_mongodb_operation_ends_at_the_deadline(database: Database) -> None:
    await database.things.insert_one({})
    started = time.monotonic()
    with deadlines.deadline(0.3), pytest.raises(PyMongoError) as caught:
        await database.things.find_one({"$where": "sleep(60000) || true"})
    assert caught.value.timeout, f"expected a time-out, not {caught.value!r}"
    assert time.monotonic() - started < 0.3 + SLACK


async def test_no_command_is_sent_to_mongodb_after_the_deadline(database: Database) -> None:
    await database.things.insert_one({"_id": "before"})
    for attempt in range(50):
        with deadlines.deadline(0), pytest.raises(PyMongoError) as caught:
            await database.things.insert_one({"_id": attempt})
        assert is_timeout(caught.value), f"expected a time-out, not {caught.value!r}"
    assert [row["_id"] async for row in database.things.find()] == ["before"]


async def test_an_outgoing_call_outside_a_request_has_the_default_deadline(
    channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlines, "DEFAULT_SECONDS", 100.0)
    assert 50 < await ask(channel) <= 100 + ROUNDING


async def test_an_outgoing_call_has_the_remaining_time(channel: grpc.aio.Channel) -> None:
    with deadlines.deadline(deadlines.DEFAULT_SECONDS / 2):
        assert await ask(channel) <= deadlines.DEFAULT_SECONDS / 2 + ROUNDING


async def test_an_outgoing_call_keeps_its_own_deadline(channel: grpc.aio.Channel) -> None:
    with deadlines.deadline(30):
        assert await ask(channel, own=8) <= 8 + ROUNDING


@pytest.mark.parametrize("seconds", [0, 0.2])
async def test_an_outgoing_call_without_an_answer_ends_at_the_deadline(
    channel: grpc.aio.Channel, seconds: float
) -> None:
    started = time.monotonic()
    with deadlines.deadline(seconds), pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(channel, "Never")
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < seconds + SLACK


async def test_no_call_is_made_after_the_deadline(channel: grpc.aio.Channel) -> None:
    await ask(channel)
    for _ in range(50):
        with deadlines.deadline(0), pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(channel)
        assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_call_to_an_unreachable_server_ends_within_the_deadline() -> None:
    async with connect("127.0.0.1:1", load(CallerSettings)) as nobody:
        with deadlines.deadline(0.3), pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(nobody)
    assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def _mongo_left() -> float:
    """Returns the seconds that pymongo allows for an operation."""
    left = pymongo._csot.remaining()
    assert left is not None, "expected a bound for operations of MongoDB"
    return float(left)
