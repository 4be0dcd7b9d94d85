"""gRPC ⇄ domain, and the gRPC status of each error."""

from datetime import timedelta

import grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc

from ingest_service.domain.backlog import BacklogTooOld, LeadBehind, PartitionBehind
from ingest_service.domain.erasure import EventErased, LeadBeingErased, LeadErased
from ingest_service.domain.errors import EventIdConflict, InvalidEvent
from ingest_service.domain.event import Event, InvalidBatch, check_batch
from ingest_service.ports import PutResult
from ingest_service.usecases.ingest import Ingest, NotNow, Outcome, Receipt
from shared import wire
from shared.access.errors import ACCESS, KeyLimitExceeded
from shared.rpc.errors import ARGUMENTS, OVERLOADED, ErrorRow, ErrorTable, InvalidArgument, Overloaded
from shared.rpc.handlers import Context
from shared.traces.current import recorded

SERVICE = "leadscore.ingest.v1.IngestService"

ERRORS: ErrorTable = {
    **ACCESS,
    InvalidArgument: ARGUMENTS[InvalidArgument],
    Overloaded: OVERLOADED,
    BacklogTooOld: ErrorRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "BACKLOG_TOO_OLD"),
    LeadBehind: ErrorRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "LEAD_BEHIND"),
    PartitionBehind: ErrorRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "PARTITION_BEHIND"),
    KeyLimitExceeded: ErrorRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "KEY_LIMIT_EXCEEDED"),
    InvalidEvent: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "EVENT_INVALID"),
    EventIdConflict: ErrorRow(grpc.StatusCode.ALREADY_EXISTS, "EVENT_ID_CONFLICT"),
    LeadErased: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "LEAD_ERASED"),
    EventErased: ErrorRow(grpc.StatusCode.FAILED_PRECONDITION, "EVENT_ERASED"),
    LeadBeingErased: ErrorRow(grpc.StatusCode.RESOURCE_EXHAUSTED, "LEAD_BEING_ERASED"),
    InvalidBatch: ErrorRow(grpc.StatusCode.INVALID_ARGUMENT, "BATCH_INVALID"),
}

_OUTCOMES = {PutResult.NEW: pb.OUTCOME_ACCEPTED, PutResult.DUPLICATE: pb.OUTCOME_DUPLICATE}


class IngestServicer(ingest_pb2_grpc.IngestServiceServicer):
    """Translates between gRPC and the use cases."""

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest

    async def IngestEvent(self, request: pb.IngestEventRequest, context: Context) -> pb.IngestEventResponse:
        """See `ingest.proto`."""
        receipt = await self._ingest.ingest_event(_event(request.event, recorded()))
        response = pb.IngestEventResponse()
        _acknowledge(response, receipt)
        return response

    async def BatchIngestEvents(
        self, request: pb.BatchIngestEventsRequest, context: Context
    ) -> pb.BatchIngestEventsResponse:
        """See `ingest.proto`."""
        check_batch(len(request.events))
        traceparent = recorded()
        events = [_event(event, traceparent) for event in request.events]
        outcomes = await self._ingest.ingest_batch(events)
        response = pb.BatchIngestEventsResponse()
        for event, outcome in zip(events, outcomes, strict=True):
            _fill(response.outcomes.add(), event.event_id, outcome)
        return response


def _event(event: pb.Event, traceparent: str) -> Event:
    return Event(
        event.event_id,
        event.lead_id,
        event.event_type,
        wire.to_time(event.event_time) if event.HasField("event_time") else None,
        wire.to_dict(event.properties),
        event.source,
        event.historical,
        wire.to_time(event.sent_time) if event.HasField("sent_time") else None,
        traceparent=traceparent,
    )


def _acknowledge(result: pb.IngestEventResponse | pb.EventOutcome, receipt: Receipt) -> None:
    result.outcome = _OUTCOMES[receipt.result]
    if receipt.shortening is not None:
        result.shortening.cut_properties.extend(receipt.shortening.cut)
        result.shortening.left_out_count = receipt.shortening.left_out
    if receipt.warning:
        result.warning = receipt.warning


def _fill(result: pb.EventOutcome, event_id: str, outcome: Outcome) -> None:
    """Fills in an empty result; `add()` and setting fields take half the time of building it elsewhere."""
    result.event_id = event_id
    if isinstance(outcome, Receipt):
        _acknowledge(result, outcome)
        return
    reason = f"ERROR_REASON_{ERRORS[type(outcome)].reason}"
    result.MergeFrom(pb.EventOutcome(reason=reason, message=str(outcome)))
    if isinstance(outcome, NotNow):
        result.outcome = pb.OUTCOME_RETRY_LATER
        result.retry_delay.FromTimedelta(timedelta(seconds=outcome.retry_seconds))
        return
    result.outcome, result.field = pb.OUTCOME_REJECTED, outcome.field
    if isinstance(outcome, EventIdConflict):
        result.differing_fields.extend(outcome.differing_fields)
