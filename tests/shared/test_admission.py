"""Calls are let in up to a bound, oldest first; those that would wait too long are refused and told when to come."""

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

from shared.deadlines import retry_seconds
from shared.rpc import admission as module
from shared.rpc.admission import MAX_WAITING, RETRY_SECONDS, SLOT_BYTES, Admission, Streams, nothing_refused
from shared.rpc.errors import Overloaded, status_of
from shared.rpc.server import guarded
from testkit.serving import refusal
from testkit.waiting import eventually
from tests.shared.teapot import ERRORS, POUR, STREAM, STREAMS, WATCH, Kitchen, Teapot, pour, stream

LONG = 60.0
WHOLE_QUEUE = (MAX_WAITING - 1) * SLOT_BYTES
"""Bytes of a request that takes all room that there is to wait."""


class Calls:
    """Calls that stay in until they are told to leave, in the order in which they came in."""

    def __init__(self, admission: Admission) -> None:
        self.inside: list[str] = []
        self._admission = admission
        self._leave: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str, size: int = 0, seconds: float = LONG) -> None:
        """Begins calls and lets them get as far as they can."""
        for name in names:
            self._leave[name] = asyncio.Event()
            self._tasks[name] = asyncio.create_task(self._call(name, size, seconds))
        await settled()

    async def leave(self, *names: str) -> None:
        """Ends calls that are in."""
        for name in names:
            self._leave[name].set()
        await settled()

    async def cancel(self, name: str) -> None:
        """Lets the caller go away."""
        self._tasks[name].cancel()
        await settled()

    async def outcome(self, name: str) -> BaseException | None:
        """Returns what a call failed with."""
        (found,) = await asyncio.gather(self._tasks[name], return_exceptions=True)
        return found

    async def _call(self, name: str, size: int, seconds: float) -> None:
        async with self._admission.slot(size, seconds):
            self.inside.append(name)
            try:
                await self._leave[name].wait()
            finally:
                self.inside.remove(name)


async def settled() -> None:
    """Lets every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_never_admits_more_calls_than_slots() -> None:
    calls = Calls(Admission(2, LONG))
    await calls.come("a", "b", "c", "d")
    assert calls.inside == ["a", "b"]
    await calls.leave("a")
    assert calls.inside == ["b", "c"]
    await calls.leave("b", "c", "d")
    assert calls.inside == []


async def test_the_oldest_is_next_even_if_a_later_one_would_fit() -> None:
    calls = Calls(Admission(2, LONG))
    await calls.come("a", "b")
    await calls.come("large", size=SLOT_BYTES)
    await calls.come("small")
    await calls.leave("a")
    assert calls.inside == ["b"], "expected one place to be kept for the oldest"
    await calls.leave("b")
    assert calls.inside == ["large"]
    await calls.leave("large")
    assert calls.inside == ["small"]


async def test_a_request_takes_places_by_its_length_and_never_more_than_there_are() -> None:
    calls = Calls(Admission(4, LONG))
    await calls.come("two", size=2 * SLOT_BYTES - 1)
    await calls.come("three", size=2 * SLOT_BYTES)
    assert calls.inside == ["two"]
    await calls.leave("two")
    await calls.leave("three")
    await calls.come("huge", size=100 * SLOT_BYTES)
    assert calls.inside == ["huge"]


async def test_who_waits_too_long_is_refused_and_told_when_to_come() -> None:
    calls = Calls(Admission(1, 0.01))
    await calls.come("a", "b")
    error = await calls.outcome("b")
    assert isinstance(error, Overloaded)
    assert 0.5 * RETRY_SECONDS <= error.retry_seconds <= 1.5 * RETRY_SECONDS
    await calls.leave("a")
    await calls.come("c")
    assert calls.inside == ["c"], "expected who was refused to have left the queue"


async def test_nobody_waits_for_more_than_half_of_the_time_that_is_left() -> None:
    calls = Calls(Admission(1, LONG))
    await calls.come("a")
    await calls.come("b", seconds=0.02)
    assert isinstance(await calls.outcome("b"), Overloaded)


async def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    calls = Calls(Admission(1, LONG))
    await calls.come("late", seconds=0.0)
    assert isinstance(await calls.outcome("late"), TimeoutError)


async def test_a_full_queue_refuses_at_once() -> None:
    calls = Calls(Admission(MAX_WAITING, LONG))
    await calls.come("a", "b", size=WHOLE_QUEUE)
    await calls.come("c")
    async with asyncio.timeout(1):
        assert isinstance(await calls.outcome("c"), Overloaded)
    await calls.leave("a")
    assert calls.inside == ["b"], "expected it to have waited, for only then was the queue full"


async def test_few_places_do_not_make_the_queue_longer() -> None:
    calls = Calls(Admission(1, LONG))
    await calls.come("a", "b", size=WHOLE_QUEUE)
    await calls.come("c")
    async with asyncio.timeout(1):
        assert isinstance(await calls.outcome("c"), Overloaded)
    await calls.cancel("b")
    await calls.come("d")
    await calls.leave("a")
    assert calls.inside == ["d"]


async def test_a_waiting_caller_that_goes_away_lets_those_behind_come_forward() -> None:
    calls = Calls(Admission(2, LONG))
    await calls.come("a")
    await calls.come("large", size=SLOT_BYTES)
    await calls.come("small")
    assert calls.inside == ["a"]
    await calls.cancel("large")
    assert calls.inside == ["a", "small"]


async def test_a_caller_that_goes_away_gives_back_its_place() -> None:
    calls = Calls(Admission(1, LONG))
    await calls.come("a", "b")
    await calls.cancel("a")
    assert calls.inside == ["b"]


async def test_a_caller_that_goes_away_as_its_turn_comes_gives_back_its_place() -> None:
    admission = Admission(1, LONG)
    calls = Calls(admission)
    await calls.come("a", "b", "c")
    calls._leave["a"].set()
    await asyncio.sleep(0)  # a leaves and b has its turn, but does not know of it yet
    await calls.cancel("b")
    assert calls.inside == ["c"]
    await calls.leave("c")
    await calls.come("d")
    assert calls.inside == ["d"]


async def test_a_call_that_fails_gives_back_its_place() -> None:
    admission = Admission(1, LONG)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with admission.slot(0, LONG):
                raise ZeroDivisionError
    calls = Calls(admission)
    await calls.come("a")
    assert calls.inside == ["a"]


async def test_refusals_share_a_line_in_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPORT_SECONDS", 0.0)

    def shut() -> None:
        raise Overloaded(1.0)

    calls = Calls(Admission(1, LONG, shut))
    with capture_logs() as lines:
        await calls.come("a", "b", "c")
        await eventually(lambda: _true(lines), what="the line")
    assert [(line["event"], line["count"]) for line in lines] == [("calls refused", 3)]


@contextlib.asynccontextmanager
async def opened(
    kitchen: Kitchen,
    *,
    gate: Callable[[], None] = nothing_refused,
    options: Sequence[tuple[str, str]] = (),
    stream_slots: int = 1,
) -> AsyncIterator[grpc.aio.Channel]:
    """Yields a channel to a teapot with one place for calls, and some for streams, beside a health service."""
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


async def test_a_refusal_has_a_reason_and_says_when_to_come() -> None:
    kitchen = Kitchen(waits=True)
    async with opened(kitchen) as channel:
        first = asyncio.create_task(pour(channel, "green"))
        await asyncio.wait_for(kitchen.busy.wait(), 30)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pour(channel, "black")
        assert refusal(caught.value) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", [])
        asked = retry_seconds(caught.value)
        assert asked is not None
        assert 0.5 * RETRY_SECONDS <= asked <= 1.5 * RETRY_SECONDS
        kitchen.free.set()
        assert await first == "green"
        assert await pour(channel, "black") == "black"


async def test_health_and_streams_take_no_places_of_calls() -> None:
    kitchen = Kitchen(waits=True)
    async with opened(kitchen, stream_slots=5) as channel:
        first = asyncio.create_task(pour(channel, "green"))
        await asyncio.wait_for(kitchen.busy.wait(), 30)
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=5)  # type: ignore[attr-defined]
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        streams = [asyncio.create_task(stream(channel, "red white")) for _ in range(5)]
        kitchen.free.set()
        assert await asyncio.gather(first, *streams) == ["green", *[["red", "white"]] * 5]


class Counting(Kitchen):
    """A kitchen that counts what it works on."""

    def __init__(self) -> None:
        super().__init__(waits=True)
        self.inside = 0
        self.limit = 0

    async def pour(self, tea: str) -> str:
        """Pours when it is free; `now` at once."""
        if tea == "now":
            return tea
        self.inside += 1
        self.limit = max(self.limit, self.inside)
        try:
            return await super().pour(tea)
        finally:
            self.inside -= 1


async def test_no_more_streams_are_worked_on_than_have_places_and_reads_go_on_beside_them() -> None:
    kitchen = Counting()
    async with opened(kitchen, stream_slots=4) as channel:
        streams = [asyncio.create_task(stream(channel, "green")) for _ in range(40)]
        await eventually(lambda: _true(sum(task.done() for task in streams) == 36), what="36 of 40 are refused")
        for _ in range(20):
            assert await pour(channel, "now", timeout=30) == "now"
        assert (kitchen.inside, kitchen.limit) == (4, 4)
        kitchen.free.set()
        ended = await asyncio.gather(*streams, return_exceptions=True)
    refused = [error for error in ended if isinstance(error, grpc.aio.AioRpcError)]
    assert len(refused) == 36
    for error in refused:
        assert refusal(error) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", [])
        asked = retry_seconds(error)
        assert asked is not None
        assert 0.5 * RETRY_SECONDS <= asked <= 1.5 * RETRY_SECONDS
        assert "grpc-retry-pushback-ms" in dict(error.trailing_metadata())


async def test_watches_take_no_places_of_streams() -> None:
    kitchen = Counting()
    async with opened(kitchen) as channel:
        watches = [asyncio.create_task(stream(channel, "green", name=WATCH)) for _ in range(20)]
        await eventually(lambda: _true(kitchen.inside == 20), what="all watch")
        first = asyncio.create_task(stream(channel, "black"))
        await eventually(lambda: _true(kitchen.inside == 21), what="a stream has its place")
        kitchen.free.set()
        assert await asyncio.gather(first, *watches) == [["black"], *[["green"]] * 20]


async def test_a_stream_whose_caller_leaves_gives_back_its_place_also_one_that_nobody_reads() -> None:
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

            async def has_place() -> bool:
                try:
                    return await stream(channel, "black") == ["black"]
                except grpc.aio.AioRpcError:
                    return False

            await eventually(has_place, what="the place is free again")


async def test_a_stream_that_fails_gives_back_its_place() -> None:
    async with opened(Kitchen(ZeroDivisionError())) as channel:
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stream(channel, "fail")
            assert caught.value.code() == grpc.StatusCode.INTERNAL


async def test_what_is_refused_is_not_even_parsed() -> None:
    def shut() -> None:
        raise Overloaded(1.0)

    async with opened(Kitchen(), gate=shut) as channel:
        method: Any = channel.unary_unary(POUR)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(b"\xff")
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("call", [pour, stream])
async def test_what_was_refused_further_on_has_a_line_of_its_own_since_nobody_here_counts_it(
    call: Callable[[grpc.aio.Channel, str], Awaitable[object]],
) -> None:
    further_on = rpc_status.to_status(status_of(Overloaded(2.5), ERRORS))
    metadata = grpc.aio.Metadata(*further_on.trailing_metadata)
    error = grpc.aio.AioRpcError(further_on.code, grpc.aio.Metadata(), metadata, details=further_on.details)
    with capture_logs() as lines:
        async with opened(Kitchen(error)) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(channel, "tea")
    assert retry_seconds(caught.value) == 2.5
    assert [(line["event"], line["code"]) for line in lines] == [("rpc", "RESOURCE_EXHAUSTED")]


async def test_grpcs_own_retries_wait_as_long_as_they_are_asked_to() -> None:
    """With a back-off of an hour only the server's word can have brought the second attempt in time."""
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
        assert await pour(channel, "green", timeout=10) == "green"
    assert attempts == 2


async def _true(condition: object) -> bool:
    return bool(condition)
