"""Calls are translated, bounded in time, and logged."""

import asyncio
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from structlog.testing import capture_logs

from shared.mongo import Database
from shared.rpc import handlers
from shared.rpc import server as servers
from testkit.serving import refusal
from testkit.waiting import eventually
from tests.shared.rpc.running_server import SLACK, healthy, of_calls, opened, running
from tests.shared.rpc.teapot import POUR, STREAM, Empty, Kitchen, pour, stream
from tests.shared.waiting import until

pytestmark = pytest.mark.usefixtures("fast_probes", "contained_sigterm")


CALLER = """
import sys, grpc
with grpc.insecure_channel(sys.argv[1]) as channel:
    list(channel.unary_stream(sys.argv[2])(b"\\x0a\\x03tea", wait_for_ready=True))
"""
"""Reads a whole stream."""


async def test_calls_and_streams_are_answered() -> None:
    async with opened(Kitchen().pour) as channel:
        assert await pour(channel, "green") == "green"
        assert await stream(channel, "green black") == ["green", "black"]


@pytest.mark.parametrize("call", [pour, stream])
async def test_a_domain_error_has_its_code_reason_and_text(
    call: Callable[[grpc.aio.Channel, str], Awaitable[object]],
) -> None:
    async with opened(Kitchen(Empty("there is no tea")).pour) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, "tea")
    assert refusal(caught.value) == (grpc.StatusCode.FAILED_PRECONDITION, "TEAPOT_EMPTY", [])
    assert caught.value.details() == "there is no tea"


@pytest.mark.parametrize("call", [pour, stream])
async def test_an_unexpected_error_is_internal_and_its_text_appears_only_in_the_log(
    call: Callable[[grpc.aio.Channel, str], Awaitable[object]],
) -> None:
    error = ZeroDivisionError("hunter2")
    with capture_logs() as lines:
        async with opened(Kitchen(error).pour) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(channel, "tea")
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert "hunter2" not in f"{caught.value} {caught.value.trailing_metadata()}"
    (line,) = of_calls(lines)
    assert (line["log_level"], line["exc_info"]) == ("error", error)


@pytest.mark.parametrize("method", [POUR, STREAM])
async def test_a_malformed_request_is_an_invalid_argument(method: str) -> None:
    async with opened(Kitchen().pour) as channel:
        make: Any = channel.unary_unary if method == POUR else channel.unary_stream
        call = make(method, request_serializer=lambda data: data, response_deserializer=StringValue.FromString)(b"\xff")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (call if method == POUR else call.read())
    assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", ["request"])


async def test_a_stream_delivers_its_messages_before_it_fails() -> None:
    async with opened(Kitchen(Empty("there is no tea")).pour) as channel:
        method = channel.unary_stream(STREAM, StringValue.SerializeToString, StringValue.FromString)
        call: Any = method(StringValue(value="green black fail white"))
        assert [(await call.read()).value for _ in range(2)] == ["green", "black"]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_a_call_past_the_callers_deadline_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "GRACE_SECONDS", 60)  # so that nobody but the caller ends it
    kitchen = Kitchen(waits=True)
    with capture_logs() as lines:
        async with opened(kitchen.pour) as channel:

            async def is_logged() -> bool:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await pour(channel, timeout=0.5)
                assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
                return bool(of_calls(lines))

            # On a busy machine, a call may not even have begun at its deadline.
            await eventually(is_logged, what="a call's line in the log")
    assert {line["code"] for line in of_calls(lines)} == {"CANCELLED"}


async def test_a_mongodb_operation_ends_at_the_servers_time_limit(database: Database) -> None:
    await database.things.insert_one({})

    async def slow(tea: str) -> str:
        await database.things.find_one({"$where": "sleep(60000) || true"})
        return tea

    started = time.monotonic()
    async with opened(slow, call_seconds=0.3) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(pour(channel), 30)
    # It depends on whether the server or the driver notices first: see NetworkTimeout in test_errors.
    assert caught.value.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
    assert time.monotonic() - started < 0.3 + SLACK


async def test_any_other_call_past_the_servers_time_limit_is_deadline_exceeded() -> None:
    async with opened(Kitchen(waits=True).pour, call_seconds=0.2) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(pour(channel), 30)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_each_call_is_logged_with_its_method_code_and_milliseconds() -> None:
    with capture_logs() as lines:
        async with opened(Kitchen(Empty("there is no tea")).pour) as channel:
            await pour(channel, "green")
            await stream(channel, "green black")
            for call in (pour, stream):
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(channel, "tea")
    found = of_calls(lines)
    assert [(line["method"], line["code"]) for line in found] == [
        (POUR, "OK"),
        (STREAM, "OK"),
        (POUR, "FAILED_PRECONDITION"),
        (STREAM, "FAILED_PRECONDITION"),
    ]
    assert all(0 <= line["ms"] < 60_000 for line in found)
    assert [line.get("error") for line in found] == [None, None, "there is no tea", "there is no tea"]


@pytest.mark.parametrize("call", [pour, stream])
async def test_the_log_line_of_a_refused_call_has_a_limited_length(call: Any) -> None:
    with capture_logs() as lines:
        async with opened(Kitchen(Empty("no\n" + "tea" * 100_000)).pour) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await call(channel, "tea")
    (line,) = of_calls(lines)
    assert line["error"].startswith("no teatea")
    assert len(line["error"]) == 500


@pytest.mark.parametrize("method", [POUR, STREAM])
async def test_a_call_that_its_caller_cancels_is_logged_too(method: str) -> None:
    kitchen = Kitchen(waits=True)
    with capture_logs() as lines:
        async with opened(kitchen.pour) as channel:
            make = channel.unary_unary if method == POUR else channel.unary_stream
            call = make(method, StringValue.SerializeToString, StringValue.FromString)(StringValue(value="tea"))
            await asyncio.wait_for(kitchen.busy.wait(), 30)
            call.cancel()
            await until(lambda: of_calls(lines), what="the call's line in the log")
    assert [(line["method"], line["code"]) for line in of_calls(lines)] == [(method, "CANCELLED")]


async def test_a_call_ends_when_its_caller_stops_responding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "KEEPALIVE_SECONDS", 0.2)
    monkeypatch.setattr(servers, "PING_SECONDS", 0.3)
    kitchen = Kitchen(waits=True)
    with capture_logs() as lines:
        async with running(kitchen, healthy) as server:
            caller = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CALLER, f"127.0.0.1:{server.port}", STREAM, stderr=asyncio.subprocess.DEVNULL
            )
            try:
                await asyncio.wait_for(kitchen.busy.wait(), 30)
                caller.send_signal(signal.SIGSTOP)  # it no longer answers, but its connection stays open
                await until(lambda: of_calls(lines), what="the end of the call")
            finally:
                caller.kill()
                await caller.wait()
    assert [(line["method"], line["code"]) for line in of_calls(lines)] == [(STREAM, "CANCELLED")]
