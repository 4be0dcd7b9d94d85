"""Implements the port with the ingest service."""

from collections.abc import Iterator, Sequence
from typing import Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc

MAX_CALL_EVENTS = 1_000
MAX_CALL_BYTES = 1_000_000
"""Bytes of events in a call; the ingest service takes messages of 1 MiB."""

NOBODY = "Anonymous"
"""The authorization of a caller without credentials. Otherwise the certificate of the gateway would speak for them."""

_SERVICE = "leadscore.ingest.v1.IngestService"


class IngestService:
    """Implements `EventIngest`. Without an `authorization`, calls have the one that the channel attaches, if any."""

    def __init__(self, channel: grpc.aio.Channel, authorization: str = "") -> None:
        self._stub = ingest_pb2_grpc.IngestServiceStub(channel)
        self._metadata = (("authorization", authorization),) if authorization else ()

    @classmethod
    def of_caller(cls, channel: grpc.aio.Channel, credentials: str | None) -> Self:
        """Returns the service as a caller with these credentials calls it, over a channel that attaches no key."""
        return cls(channel, credentials or NOBODY)

    async def send(self, events: Sequence[pb.Event]) -> list[pb.EventOutcome]:
        """Returns one outcome per event; see `EventIngest`."""
        outcomes = list[pb.EventOutcome]()
        for part in _parts(events):
            request = pb.BatchIngestEventsRequest(events=part)
            outcomes += (await self._stub.BatchIngestEvents(request, metadata=self._metadata)).outcomes
        return outcomes


async def is_serving(channel: grpc.aio.Channel) -> bool:
    """Returns whether the ingest service reports SERVING."""
    check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
    try:
        answer: health_pb2.HealthCheckResponse = await check(health_pb2.HealthCheckRequest(service=_SERVICE), timeout=1)
    except grpc.aio.AioRpcError:
        return False
    return answer.status == health_pb2.HealthCheckResponse.SERVING


def _parts(events: Sequence[pb.Event]) -> Iterator[list[pb.Event]]:
    """Yields the events in parts that each fit into a call."""
    part, size = list[pb.Event](), 0
    for event in events:
        added = event.ByteSize()
        if part and (len(part) == MAX_CALL_EVENTS or size + added > MAX_CALL_BYTES):
            yield part
            part, size = [], 0
        part.append(event)
        size += added
    if part:
        yield part
