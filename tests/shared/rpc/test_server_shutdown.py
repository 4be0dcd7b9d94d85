"""A server that stops finishes its calls within a limit and turns new ones away."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2
from structlog.testing import capture_logs

from cli.local.embedded import free_port
from shared import tasks
from shared.access.enforcement import OPEN
from shared.rpc import server as servers
from shared.rpc.errors import Stopping
from shared.rpc.server import serve
from shared.rpc.service import Service
from testkit.waiting import eventually
from tests.shared.rpc.running_server import SERVING, SLACK, Running, healthy, of_calls, running, settings_of
from tests.shared.rpc.teapot import ERRORS, NAME, Kitchen, Teapot, pour, stream

pytestmark = pytest.mark.usefixtures("fast_probes", "contained_sigterm")


NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_after_sigterm_the_server_is_not_serving_while_a_running_call_finishes() -> None:
    kitchen = Kitchen(waits=True)
    async with running(kitchen, healthy) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        watch = server.watch()
        assert (await watch.read()).status == SERVING
        call = asyncio.create_task(pour(server.channel, "green"))
        await asyncio.wait_for(kitchen.busy.wait(), 30)
        server.send_sigterm()
        assert (await asyncio.wait_for(watch.read(), 30)).status == NOT_SERVING
        watch.cancel()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pour(server.channel, "black", timeout=30)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE, "expected a new call to be refused"
        assert not call.done()
        kitchen.free.set()
        assert await call == "green"
        await server.ended(within=SLACK)


async def test_calls_to_a_stopping_server_are_unavailable(
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
        server.send_sigterm()
        await server.ended(within=SLACK)
        await asyncio.gather(*calls)
    assert codes == {grpc.StatusCode.UNAVAILABLE}


async def test_a_call_that_does_not_end_is_cancelled_after_stop_seconds() -> None:
    kitchen = Kitchen(waits=True)
    with capture_logs() as lines:
        async with running(kitchen, healthy, stop_seconds=0.3) as server:
            await eventually(server.is_healthy, what="SERVING at first")
            call = asyncio.create_task(pour(server.channel))
            await asyncio.wait_for(kitchen.busy.wait(), 30)
            server.send_sigterm()
            await server.ended(within=0.3 + SLACK)
            with pytest.raises(grpc.aio.AioRpcError):
                await call
    assert [line["code"] for line in of_calls(lines)] == ["CANCELLED"]
    assert [line["event"] for line in lines if line["event"] in ("serving", "stopped")] == ["serving", "stopped"]


async def test_endless_streams_are_ended_when_the_server_stops() -> None:
    kitchen = Kitchen(Stopping(), waits=True)
    async with running(kitchen, healthy, leave=kitchen.free.set) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        call = asyncio.create_task(stream(server.channel, "tea"))
        await asyncio.wait_for(kitchen.busy.wait(), 30)
        server.send_sigterm()
        await server.ended(within=SLACK)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_health_watchers_are_notified_and_do_not_delay_the_stop() -> None:
    async with running(Kitchen(), healthy) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        watch = server.watch()
        assert (await watch.read()).status == SERVING
        server.send_sigterm()
        await server.ended(within=SLACK)
        assert (await watch.read()).status == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await watch.read()
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_server_stops_soon_after_a_background_task_failed_even_with_running_calls(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "FAILED_STOP_SECONDS", 0.1)
    kitchen, broken = Kitchen(waits=True), asyncio.Event()

    async def part() -> None:
        await broken.wait()
        raise ZeroDivisionError

    async def whole(port: int) -> None:
        service = Service(NAME, Teapot(kitchen.pour).register, ERRORS, healthy, OPEN)
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
