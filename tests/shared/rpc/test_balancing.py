"""Calls to a service that has several addresses."""

import contextlib

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from shared.rpc.channels import connect
from testkit.waiting import eventually
from tests.shared.rpc.secure import settings_of


class Counting(HealthServicer):
    """Counts its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def Check(self, request: health_pb2.HealthCheckRequest, context: object) -> health_pb2.HealthCheckResponse:  # noqa: N802
        """Serves always."""
        self.calls += 1
        return health_pb2.HealthCheckResponse()


async def test_calls_go_to_every_address_of_a_service() -> None:
    async with contextlib.AsyncExitStack() as stack:
        servicers, addresses = [Counting(), Counting()], []
        for servicer in servicers:
            server = grpc.aio.server()
            health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
            addresses.append(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}")
            await server.start()
            stack.push_async_callback(server.stop, 0)
        channel = await stack.enter_async_context(connect(f"ipv4:{','.join(addresses)}", settings_of()))

        async def both_are_called() -> bool:
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]
            return all(servicer.calls for servicer in servicers)

        await eventually(both_are_called, what="a call of each server")
