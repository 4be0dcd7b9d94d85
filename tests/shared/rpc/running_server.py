"""Servers for tests: a guarded teapot, and a whole server with health in this event loop."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from structlog.typing import EventDict

from cli.local.embedded import free_port
from shared.access.enforcement import OPEN
from shared.rpc.admission import Admission
from shared.rpc.handlers import guarded
from shared.rpc.server import serve
from shared.rpc.service import Service, nothing_to_end
from shared.settings import ServerSettings
from tests.shared.rpc.teapot import ERRORS, NAME, Kitchen, Teapot

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


SERVING = health_pb2.HealthCheckResponse.SERVING


SLACK = 20.0


@contextlib.asynccontextmanager
async def opened(make: Callable[[str], Awaitable[str]], call_seconds: float = 60.0) -> AsyncIterator[grpc.aio.Channel]:
    """Yields a channel, without a deadline of its own, to a teapot behind a guarded server."""
    server = grpc.aio.server()
    Teapot(make).register(guarded(server, ERRORS, Admission(8, 60.0), call_seconds))
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
        """Returns the health of a service; waits for a server that is still starting."""
        answer = await self._health.Check(  # type: ignore[attr-defined]  # the stubs lack it
            health_pb2.HealthCheckRequest(service=service), timeout=30, wait_for_ready=True
        )
        return int(answer.status)

    async def is_healthy(self) -> bool:
        """Returns whether the server and its service are SERVING."""
        return [await self.health(), await self.health(NAME)] == [SERVING] * 2

    async def is_unhealthy(self) -> bool:
        """Returns whether the server and its service are NOT_SERVING."""
        return [await self.health(), await self.health(NAME)] == [NOT_SERVING] * 2

    def watch(self) -> Any:
        """Watches the health of the service."""
        return self._health.Watch(health_pb2.HealthCheckRequest(service=NAME))  # type: ignore[attr-defined]

    def send_sigterm(self) -> None:
        """Sends SIGTERM to this process, which the server handles by now."""
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        signal.raise_signal(signal.SIGTERM)

    def has_ended(self) -> bool:
        """Returns whether the server has ended."""
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
    """Runs a server, and stops it at the end if the test has not."""
    port = free_port()
    settings = settings_of(host=host, port=port, stop_seconds=stop_seconds, reflection=reflection)
    service = Service(NAME, Teapot(kitchen.pour).register, ERRORS, probe, OPEN, leave=leave)
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


def of_calls(lines: list[EventDict]) -> list[EventDict]:
    return [line for line in lines if line["event"] == "rpc"]
