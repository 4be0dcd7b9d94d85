"""A server as every service runs it: translated, bounded and logged calls, honest health, an orderly end."""

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs
from structlog.typing import EventDict

from cli.local.embedded import free_port
from shared import tasks
from shared.mongo import Database
from shared.rpc import health as healths
from shared.rpc import server as servers
from shared.rpc.admission import Admission
from shared.rpc.errors import Stopping
from shared.rpc.server import MESSAGE_BYTES, Service, guarded, nothing_to_end, serve
from shared.settings import ServerSettings, StartupError
from testkit.serving import refusal
from testkit.waiting import eventually
from tests.shared.teapot import ERRORS, NAME, POUR, STREAM, Empty, Kitchen, Teapot, pour, stream

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SLACK = 20.0
CALLER = """
import sys, grpc
with grpc.insecure_channel(sys.argv[1]) as channel:
    list(channel.unary_stream(sys.argv[2])(b"\\x0a\\x03tea", wait_for_ready=True))
"""
"""Calls a method that answers with a stream."""


@contextlib.asynccontextmanager
async def opened(make: Callable[[str], Awaitable[str]], call_seconds: float = 5.0) -> AsyncIterator[grpc.aio.Channel]:
    """Yields a channel without any deadline of its own to a teapot behind a guarded server."""
    server = grpc.aio.server()
    Teapot(make).register(guarded(server, ERRORS, Admission(8, 5.0), call_seconds))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


class Running:
    """A whole server in this loop, and a channel to it."""

    def __init__(self, task: "asyncio.Task[None]", channel: grpc.aio.Channel, port: int) -> None:
        self.channel = channel
        self.port = port
        self._task = task
        self._health = health_pb2_grpc.HealthStub(channel)

    async def health(self, service: str = "") -> int:
        """Returns what the server says of a service; it waits for a server that is still starting."""
        answer = await self._health.Check(  # type: ignore[attr-defined]  # the stubs lack it
            health_pb2.HealthCheckRequest(service=service), timeout=30, wait_for_ready=True
        )
        return int(answer.status)

    async def is_healthy(self) -> bool:
        """Tells whether the server says that it, and its service, can do their work."""
        return [await self.health(), await self.health(NAME)] == [SERVING] * 2

    async def is_ill(self) -> bool:
        """Tells whether the server says that neither it nor its service can do their work."""
        return [await self.health(), await self.health(NAME)] == [NOT_SERVING] * 2

    def watch(self) -> Any:
        """Asks to be told of every change of health."""
        return self._health.Watch(health_pb2.HealthCheckRequest(service=NAME))  # type: ignore[attr-defined]

    def tell_to_stop(self) -> None:
        """Sends SIGTERM to this process, in which the server has a handler by now."""
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        signal.raise_signal(signal.SIGTERM)

    def has_ended(self) -> bool:
        """Tells whether the server has ended."""
        return self._task.done()

    async def ended(self, within: float) -> None:
        """Waits until the server has ended."""
        await asyncio.wait_for(self._task, within)


@contextlib.asynccontextmanager
async def running(
    kitchen: Kitchen,
    probe: Callable[[], Awaitable[bool]],
    *,
    stop_seconds: float = 60.0,
    reflection: bool = False,
    host: str = "127.0.0.1",
    leave: Callable[[], None] = nothing_to_end,
) -> AsyncIterator[Running]:
    """Runs a server, and ends it if the test has not."""
    port = free_port()
    settings = settings_of(host=host, port=port, stop_seconds=stop_seconds, reflection=reflection)
    service = Service(NAME, Teapot(kitchen.pour).register, ERRORS, probe, leave=leave)
    task = asyncio.create_task(serve(service, settings))
    try:
        async with grpc.aio.insecure_channel(f"localhost:{port}") as channel:
            yield Running(task, channel, port)
    finally:
        if not task.done():
            signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(task, stop_seconds + SLACK)


def settings_of(**values: Any) -> ServerSettings:
    return ServerSettings(**values)


async def healthy() -> bool:
    return True


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healths, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(servers, "LEAVE_SECONDS", 0.2)


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Keeps a SIGTERM that comes too early, or too late, from ending the tests."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


async def test_calls_are_answered() -> None:
    async with opened(Kitchen().pour) as channel:
        assert await pour(channel, "green") == "green"
        assert await stream(channel, "green black") == ["green", "black"]


@pytest.mark.parametrize("call", [pour, stream])
async def test_an_error_of_the_domain_has_its_code_reason_and_text(
    call: Callable[[grpc.aio.Channel, str], Awaitable[object]],
) -> None:
    async with opened(Kitchen(Empty("there is no tea")).pour) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel, "tea")
    assert refusal(caught.value) == (grpc.StatusCode.FAILED_PRECONDITION, "TEAPOT_EMPTY", [])
    assert caught.value.details() == "there is no tea"


@pytest.mark.parametrize("call", [pour, stream])
async def test_an_unforeseen_error_is_internal_and_its_text_stays_in_the_log(
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
async def test_a_malformed_request_is_the_fault_of_the_caller(method: str) -> None:
    async with opened(Kitchen().pour) as channel:
        make: Any = channel.unary_unary if method == POUR else channel.unary_stream
        call = make(method, request_serializer=lambda data: data, response_deserializer=StringValue.FromString)(b"\xff")
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await (call if method == POUR else call.read())
    assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", ["request"])


async def test_a_stream_gives_what_it_has_before_it_fails() -> None:
    async with opened(Kitchen(Empty("there is no tea")).pour) as channel:
        method = channel.unary_stream(STREAM, StringValue.SerializeToString, StringValue.FromString)
        call: Any = method(StringValue(value="green black fail white"))
        assert [(await call.read()).value for _ in range(2)] == ["green", "black"]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call.read()
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_a_call_over_the_callers_deadline_ends_and_is_cancelled_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "GRACE_SECONDS", 60)  # so that nobody but the caller ends it
    kitchen = Kitchen(waits=True)
    with capture_logs() as lines:
        async with opened(kitchen.pour) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await pour(channel, timeout=2)
            await eventually(lambda: _true(of_calls(lines)), what="the call's line in the log")
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert [line["code"] for line in of_calls(lines)] == ["CANCELLED"]


async def test_an_operation_of_mongodb_ends_with_the_servers_bound(database: Database) -> None:
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


async def test_a_call_that_waits_for_anything_else_over_the_servers_bound_is_deadline_exceeded() -> None:
    async with opened(Kitchen(waits=True).pour, call_seconds=0.2) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await asyncio.wait_for(pour(channel), 30)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


async def test_every_call_leaves_one_line_with_method_code_and_milliseconds() -> None:
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
    assert all(0 <= line["ms"] < 5_000 for line in found)
    assert [line.get("error") for line in found] == [None, None, "there is no tea", "there is no tea"]


@pytest.mark.parametrize("call", [pour, stream])
async def test_the_line_of_a_refused_call_stays_short_whatever_it_was_sent(call: Any) -> None:
    with capture_logs() as lines:
        async with opened(Kitchen(Empty("no\n" + "tea" * 100_000)).pour) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await call(channel, "tea")
    (line,) = of_calls(lines)
    assert line["error"].startswith("no teatea")
    assert len(line["error"]) == 500


@pytest.mark.parametrize("method", [POUR, STREAM])
async def test_a_call_that_its_caller_leaves_has_its_line_too(method: str) -> None:
    kitchen = Kitchen(waits=True)
    with capture_logs() as lines:
        async with opened(kitchen.pour) as channel:
            make = channel.unary_unary if method == POUR else channel.unary_stream
            call = make(method, StringValue.SerializeToString, StringValue.FromString)(StringValue(value="tea"))
            await asyncio.wait_for(kitchen.busy.wait(), 30)
            call.cancel()
            await eventually(lambda: _true(of_calls(lines)), what="the call's line in the log")
    assert [(line["method"], line["code"]) for line in of_calls(lines)] == [(method, "CANCELLED")]


async def test_a_caller_that_vanished_does_not_keep_its_call(monkeypatch: pytest.MonkeyPatch) -> None:
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
                caller.send_signal(signal.SIGSTOP)  # from now on it answers nothing, and its connection stays
                await eventually(lambda: _true(of_calls(lines)), what="the end of the call")
            finally:
                caller.kill()
                await caller.wait()
    assert [(line["method"], line["code"]) for line in of_calls(lines)] == [(STREAM, "CANCELLED")]


async def test_health_is_false_from_birth_until_the_probe_holds() -> None:
    holds = asyncio.Event()

    async def probe() -> bool:
        await holds.wait()
        return True

    async with running(Kitchen(), probe) as server:
        assert await server.health() == NOT_SERVING, "it is expected to say so from its first answer on"
        assert await server.health(NAME) == NOT_SERVING
        holds.set()
        await eventually(server.is_healthy, what="health follows the probe")


@pytest.mark.parametrize("fault", ["false", "raises", "hangs"])
async def test_health_follows_the_probe(fault: str) -> None:
    well = True

    async def probe() -> bool:
        if well or fault == "false":
            return well
        if fault == "raises":
            raise ZeroDivisionError
        await asyncio.Event().wait()
        raise AssertionError

    async with running(Kitchen(), probe) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        well = False
        await eventually(server.is_ill, what="NOT_SERVING while the probe fails")
        well = True
        await eventually(server.is_healthy, what="SERVING again")


async def test_one_probe_that_fails_changes_nothing() -> None:
    looks, is_watched = iter([False, True, False, True, False, False]), asyncio.Event()

    async def probe() -> bool:
        return next(looks, False) if is_watched.is_set() else True

    async with running(Kitchen(), probe) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        watch = server.watch()
        assert (await watch.read()).status == SERVING
        is_watched.set()
        assert (await asyncio.wait_for(watch.read(), 30)).status == NOT_SERVING
        assert next(looks, None) is None, "NOT_SERVING is expected only after two failed looks in a row"
        watch.cancel()


async def test_at_sigterm_health_is_false_while_a_running_call_finishes() -> None:
    kitchen = Kitchen(waits=True)
    async with running(kitchen, healthy) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        watch = server.watch()
        assert (await watch.read()).status == SERVING
        call = asyncio.create_task(pour(server.channel, "green"))
        await asyncio.wait_for(kitchen.busy.wait(), 30)
        server.tell_to_stop()
        assert (await asyncio.wait_for(watch.read(), 30)).status == NOT_SERVING
        watch.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pour(server.channel, "black", timeout=30)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE, "a new call is expected to be turned away"
        assert not call.done()
        kitchen.free.set()
        assert await call == "green"
        await server.ended(within=SLACK)


async def test_callers_that_go_on_calling_a_server_that_stops_are_told_that_it_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "LEAVE_SECONDS", 2.0)
    codes: set[grpc.StatusCode] = set()

    async def call(server: Running) -> None:
        while not server.has_ended():
            try:
                await pour(server.channel, timeout=60)
            except grpc.aio.AioRpcError as error:
                codes.add(error.code())

    async with running(Kitchen(), healthy) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        calls = [asyncio.create_task(call(server)) for _ in range(50)]
        await pour(server.channel)
        server.tell_to_stop()
        await server.ended(within=SLACK)
        await asyncio.gather(*calls)
    assert codes == {grpc.StatusCode.UNAVAILABLE}


async def test_a_call_that_does_not_end_holds_the_server_up_for_its_bound_only() -> None:
    kitchen = Kitchen(waits=True)
    with capture_logs() as lines:
        async with running(kitchen, healthy, stop_seconds=0.3) as server:
            await eventually(server.is_healthy, what="SERVING at first")
            call = asyncio.create_task(pour(server.channel))
            await asyncio.wait_for(kitchen.busy.wait(), 30)
            server.tell_to_stop()
            await server.ended(within=0.3 + SLACK)
            with pytest.raises(grpc.aio.AioRpcError):
                await call
    assert [line["code"] for line in of_calls(lines)] == ["CANCELLED"]
    assert [line["event"] for line in lines if line["event"] in ("serving", "stopped")] == ["serving", "stopped"]


async def test_what_would_not_end_by_itself_is_ended_when_the_server_stops() -> None:
    kitchen = Kitchen(Stopping(), waits=True)
    async with running(kitchen, healthy, leave=kitchen.free.set) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        call = asyncio.create_task(stream(server.channel, "tea"))
        await asyncio.wait_for(kitchen.busy.wait(), 30)
        server.tell_to_stop()
        await server.ended(within=SLACK)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_those_who_watch_health_are_told_and_do_not_hold_the_server_up() -> None:
    async with running(Kitchen(), healthy) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        watch = server.watch()
        assert (await watch.read()).status == SERVING
        server.tell_to_stop()
        await server.ended(within=SLACK)
        assert (await watch.read()).status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_port_that_is_taken_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        service = Service(NAME, Teapot(Kitchen().pour).register, ERRORS, healthy)
        with pytest.raises(StartupError) as caught:
            await serve(service, settings_of(port=port))
    sentence = f"127.0.0.1:{port} is taken: stop what listens there, or choose another LEADSCORE_PORT"
    assert str(caught.value) == sentence


async def test_two_servers_never_share_a_port() -> None:
    async with running(Kitchen(), healthy) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        second = Service(NAME, Teapot(Kitchen().pour).register, ERRORS, healthy)
        with pytest.raises(StartupError, match=rf"^127\.0\.0\.1:{server.port} is taken"):
            await serve(second, settings_of(port=server.port))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        pytest.param("::1"),
    ],
)
async def test_every_loopback_address_can_be_served_at(host: str) -> None:
    async with running(Kitchen(), healthy, host=host) as server:
        await eventually(server.is_healthy, what="SERVING")


async def test_a_message_that_is_too_long_is_refused_before_it_is_parsed() -> None:
    async with running(Kitchen(), healthy) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        assert len(await pour(server.channel, "x" * (MESSAGE_BYTES - 100))) == MESSAGE_BYTES - 100
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pour(server.channel, "x" * (MESSAGE_BYTES + 1))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("on", [True, False])
async def test_reflection_can_be_turned_off(on: bool) -> None:
    async with running(Kitchen(), healthy, reflection=on) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        make: Any = reflection_pb2_grpc.ServerReflectionStub
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        call = make(server.channel).ServerReflectionInfo(iter([request]))
        if on:
            names = {each.name for each in (await call.read()).list_services_response.service}
            assert names >= {NAME, "grpc.health.v1.Health"}
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
        call.cancel()


def of_calls(lines: list[EventDict]) -> list[EventDict]:
    return [line for line in lines if line["event"] == "rpc"]


async def _true(condition: object) -> bool:
    return bool(condition)


async def test_a_server_a_part_of_which_fails_stops_soon_whatever_calls_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "FAILED_STOP_SECONDS", 0.1)
    kitchen, broken = Kitchen(waits=True), asyncio.Event()

    async def part() -> None:
        await broken.wait()
        raise ZeroDivisionError

    async def whole(port: int) -> None:
        service = Service(NAME, Teapot(kitchen.pour).register, ERRORS, healthy)
        async with tasks.running(part()):
            await serve(service, settings_of(port=port, stop_seconds=600))

    port = free_port()
    running_server = asyncio.create_task(whole(port))
    async with grpc.aio.insecure_channel(f"localhost:{port}") as channel:
        server = Running(running_server, channel, port)
        await eventually(server.is_healthy, what="the server serves")
        call = asyncio.create_task(pour(channel, "green"))
        await asyncio.wait_for(kitchen.busy.wait(), 30)
        broken.set()
        with pytest.raises(tasks.BackgroundTaskEnded) as caught:
            await asyncio.wait_for(running_server, SLACK)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)
        with pytest.raises(grpc.aio.AioRpcError):
            await call
