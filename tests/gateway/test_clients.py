"""Calls to the ingest service carry the credentials of the caller, and never more than those."""

from collections.abc import AsyncIterator

import pytest
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc

from gateway_service.clients import IngestService
from shared.rpc.channels import connect
from shared.rpc.handlers import Context
from testkit.serving import listening
from tests.gateway.serving import settings_of
from tests.ingest.requests import message


class Noting(ingest_pb2_grpc.IngestServiceServicer):
    """Accepts everything, and notes with which authorization it was called."""

    def __init__(self) -> None:
        self.authorization: list[str | bytes] = []

    async def BatchIngestEvents(  # noqa: N802 (named as the RPC)
        self, request: pb.BatchIngestEventsRequest, context: Context
    ) -> pb.BatchIngestEventsResponse:
        """Accepts the events."""
        metadata = context.invocation_metadata() or ()
        self.authorization = [value for name, value in metadata if name == "authorization"]
        return pb.BatchIngestEventsResponse(outcomes=[pb.EventOutcome() for _ in request.events])


@pytest.fixture
def noting() -> Noting:
    return Noting()  # type: ignore[abstract]  # IngestEvent is not called


@pytest.fixture
async def target(noting: Noting) -> AsyncIterator[str]:
    async with listening(
        {}, lambda server: ingest_pb2_grpc.add_IngestServiceServicer_to_server(noting, server)
    ) as port:
        yield f"127.0.0.1:{port}"


@pytest.mark.parametrize(("credentials", "sent"), [("Bearer lsk_caller", ["Bearer lsk_caller"]), (None, ["Anonymous"])])
async def test_the_key_of_the_gateway_is_not_for_callers(
    noting: Noting, target: str, credentials: str | None, sent: list[str]
) -> None:
    settings = settings_of(api_key="lsk_gateway")
    async with connect(target, settings, own_key=False) as channel:
        await IngestService.of_caller(channel, credentials).send([message()])
    assert noting.authorization == sent


async def test_the_gateway_has_a_key_of_its_own(noting: Noting, target: str) -> None:
    async with connect(target, settings_of(api_key="lsk_gateway")) as channel:
        await IngestService(channel).send([message()])
    assert noting.authorization == ["Bearer lsk_gateway"]
