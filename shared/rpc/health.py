"""Health of servers and workers, by the gRPC health protocol.

Guarantee: the status is SERVING only while the probe succeeds, and never after the process has begun to stop. Watchers
receive each change and do not delay the stop.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from shared import logs
from shared.metrics.process import SERVING
from shared.settings import StartupError
from shared.tasks import is_cancelled, running

PROBE_SECONDS = 1.0
"""How often the probe runs, and the longest it may take."""

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_LOG = logs.get(__name__)


class Health(health.aio.HealthServicer):
    """The health of a process under some names; `watch` must be running.

    The status is NOT_SERVING before the first probe, and after `max_failures` consecutive probes that returned False,
    raised an error, or took too long.
    """

    def __init__(self, names: Sequence[str], probe: Callable[[], Awaitable[bool]], *, max_failures: int = 1) -> None:
        super().__init__()
        self._names = names
        self._probe = probe
        self._max_failures = max_failures
        self._watches: set[asyncio.Timeout] = set()

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the health service to a server."""
        health_pb2_grpc.add_HealthServicer_to_server(self, server)

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: _Context) -> None:  # noqa: N802 (its name)
        """See `health.proto`."""
        watch = asyncio.timeout(None)
        self._watches.add(watch)
        try:
            async with watch:
                await super().Watch(request, context)
        except TimeoutError:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the server stops")
        finally:
            self._watches.discard(watch)

    async def report(self, *, serving: bool) -> None:
        """Sets the status."""
        SERVING.labels(self._names[-1]).set(serving)
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in self._names:
            await self.set(name, status)

    async def watch(self) -> None:
        """Probes until it is cancelled."""
        was, failed = None, self._max_failures
        while not is_cancelled():
            holds = False
            with contextlib.suppress(Exception):  # whatever the error, the process cannot do its work
                async with asyncio.timeout(PROBE_SECONDS):
                    holds = await self._probe()
            failed = 0 if holds else failed + 1
            serving = failed < self._max_failures
            if serving != was:
                _LOG.info("health", serving=serving)
                await self.report(serving=serving)
                was = serving
            await asyncio.sleep(PROBE_SECONDS)

    def leave(self) -> None:
        """Ends every watch."""
        for watch in self._watches:
            watch.reschedule(0)


def listen(
    server: grpc.aio.Server, host: str, port: int, variable: str, credentials: grpc.ServerCredentials | None
) -> str:
    """Lets a server listen, over TLS if it has credentials, and returns the address.

    `variable` is the setting that the port comes from.

    Raises:
        StartupError: The port is taken.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if credentials is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, credentials)
    except RuntimeError:
        advice = f"stop the process that uses it, or choose another {variable}"
        raise StartupError(f"{address} is in use: {advice}") from None
    return address


@contextlib.asynccontextmanager
async def serving_health(
    host: str,
    port: int,
    probe: Callable[[], Awaitable[bool]],
    *names: str,
    credentials: grpc.ServerCredentials | None = None,
) -> AsyncIterator[Health]:
    """Serves health on a port of its own while the block runs, for the empty name and the given names.

    Port 0 disables it.

    Raises:
        StartupError: The port is taken.
    """
    servicer = Health(["", *names], probe)
    await servicer.report(serving=False)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])  # a stale process must not share the port
    servicer.register(server)
    if port:
        listen(server, host, port, "LEADSCORE_HEALTH_PORT", credentials)
        await server.start()
    try:
        async with running(servicer.watch()):
            yield servicer
    finally:
        servicer.leave()
        if port:
            await server.stop(0.1)
