"""Who may call which method, and which calls count against the limits of a key."""

from leadscore.ingest.v1 import ingest_pb2 as pb

from shared.access.enforcement import Methods
from shared.access.roles import Role


def _one(_: pb.IngestEventRequest) -> int:
    return 1


def _all(request: pb.BatchIngestEventsRequest) -> int:
    return len(request.events)


METHODS = Methods(
    roles={"IngestEvent": Role.INGEST, "BatchIngestEvents": Role.INGEST},
    events={"IngestEvent": _one, "BatchIngestEvents": _all},
)
