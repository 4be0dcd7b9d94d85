"""What the gateway needs of others."""

from collections.abc import Sequence
from typing import Protocol

from leadscore.ingest.v1 import ingest_pb2 as pb


class EventIngest(Protocol):
    """The ingest service, called with the credentials of somebody."""

    async def send(self, events: Sequence[pb.Event]) -> list[pb.EventOutcome]:
        """Returns one outcome per event, in order. There may be any number of events, each of 1 MB at most.

        Raises:
            grpc.aio.AioRpcError: The call failed. Events may have been stored, and can be sent again.
        """
        ...
