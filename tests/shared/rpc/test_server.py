"""A server takes a free port for itself, limits message sizes, and offers reflection if it is asked to."""

import socket
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from shared.access.enforcement import OPEN
from shared.rpc.server import MESSAGE_BYTES, serve
from shared.rpc.service import Service
from shared.settings import StartupError
from testkit.waiting import eventually
from tests.shared.rpc.running_server import healthy, running, settings_of
from tests.shared.rpc.teapot import ERRORS, NAME, Kitchen, Teapot, pour

pytestmark = pytest.mark.usefixtures("fast_probes", "contained_sigterm")


async def test_a_port_in_use_is_reported_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        service = Service(NAME, Teapot(Kitchen().pour).register, ERRORS, healthy, OPEN)
        with pytest.raises(StartupError) as caught:
            await serve(service, settings_of(port=port))
    sentence = f"127.0.0.1:{port} is in use: stop the process that uses it, or choose another LEADSCORE_PORT"
    assert str(caught.value) == sentence


async def test_two_servers_never_share_a_port() -> None:
    async with running(Kitchen(), healthy) as server:
        await eventually(server.is_healthy, what="SERVING at first")
        second = Service(NAME, Teapot(Kitchen().pour).register, ERRORS, healthy, OPEN)
        with pytest.raises(StartupError, match=rf"^127\.0\.0\.1:{server.port} is in use"):
            await serve(second, settings_of(port=server.port))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "::1",
    ],
)
async def test_a_server_can_listen_on_every_loopback_address(host: str) -> None:
    async with running(Kitchen(), healthy, host=host) as server:
        await eventually(server.is_healthy, what="SERVING")


async def test_an_oversized_message_is_refused_before_it_is_parsed() -> None:
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
