"""Health follows the probe."""

import asyncio

import pytest
from grpc_health.v1 import health_pb2

from testkit.waiting import eventually
from tests.shared.rpc.running_server import SERVING, running
from tests.shared.rpc.teapot import NAME, Kitchen

pytestmark = pytest.mark.usefixtures("fast_probes", "contained_sigterm")


NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_new_server_is_not_serving_until_the_probe_succeeds() -> None:
    holds = asyncio.Event()

    async def probe() -> bool:
        await holds.wait()
        return True

    async with running(Kitchen(), probe) as server:
        assert await server.health() == NOT_SERVING, "expected from the first answer on"
        assert await server.health(NAME) == NOT_SERVING
        holds.set()
        await eventually(server.is_healthy, what="health follows the probe")


@pytest.mark.parametrize("fault", ["false", "raises", "hangs"])
async def test_health_follows_the_probe(fault: str) -> None:
    is_healthy = True

    async def probe() -> bool:
        if is_healthy or fault == "false":
            return is_healthy
        if fault == "raises":
            raise ZeroDivisionError
        await asyncio.Event().wait()
        raise AssertionError

    async with running(Kitchen(), probe) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        is_healthy = False
        await eventually(server.is_unhealthy, what="NOT_SERVING while the probe fails")
        is_healthy = True
        await eventually(server.is_healthy, what="SERVING again")


async def test_a_single_failed_probe_does_not_change_health() -> None:
    probes, is_watched = iter([False, True, False, True, False, False]), asyncio.Event()

    async def probe() -> bool:
        return next(probes, False) if is_watched.is_set() else True

    async with running(Kitchen(), probe) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        watch = server.watch()
        assert (await watch.read()).status == SERVING
        is_watched.set()
        assert (await asyncio.wait_for(watch.read(), 30)).status == NOT_SERVING
        assert next(probes, None) is None, "expected NOT_SERVING only after two failed probes in a row"
        watch.cancel()
