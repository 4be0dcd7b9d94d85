"""Requests of the RPCs of the ingest service, and a server that answers them from a store in memory."""

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, TypeAlias

import grpc
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc

from ingest_service.domain.event import MAX_EVENTS
from ingest_service.servicer import ERRORS, IngestServicer
from ingest_service.usecases.ingest import Ingest
from shared import wire
from shared.access.enforcement import OPEN, Access
from shared.group_commit import GroupCommit
from shared.lead_ids import LeadIds
from shared.rpc.channels import connect
from shared.settings import CallerSettings, load
from testkit.serving import listening
from tests.ingest.fakes import NOW, FakeDoorbell, FakeEventStore, event, nothing_refused

Stub: TypeAlias = "ingest_pb2_grpc.IngestServiceAsyncStub"


@contextlib.asynccontextmanager
async def ingesting(store: FakeEventStore, lead_ids: str = "") -> AsyncIterator[grpc.aio.Channel]:
    """Serves the IngestService with a store, and yields a channel to it."""
    async with (
        ingest_port(store, lead_ids) as port,
        connect(f"127.0.0.1:{port}", load(CallerSettings)) as channel,
    ):
        yield channel


@contextlib.asynccontextmanager
async def ingest_port(
    store: FakeEventStore, lead_ids: str = "", now: datetime = NOW, access: Access = OPEN
) -> AsyncIterator[int]:
    """Serves the IngestService with a store and a clock that stands still, and yields the port."""
    group = GroupCommit(store.put, limit=MAX_EVENTS, seconds=5)
    servicer = IngestServicer(Ingest(store, group, FakeDoorbell(), lambda: now, nothing_refused))
    async with listening(
        ERRORS,
        lambda server: ingest_pb2_grpc.add_IngestServiceServicer_to_server(servicer, server),
        prepare=LeadIds(lead_ids).apply,
        access=access,
    ) as port:
        yield port


def message(event_id: str = "e1", **fields: Any) -> pb.Event:
    """Returns the message of a valid event with some of its fields replaced."""
    own = event(event_id)
    fields_of_event: dict[str, Any] = {
        "event_id": event_id,
        "lead_id": own.lead_id,
        "event_type": own.event_type,
        "event_time": wire.to_timestamp(NOW),
        "properties": wire.to_struct(own.properties),
        "source": own.source,
    }
    return pb.Event(**{**fields_of_event, **fields})


def one(event: pb.Event) -> pb.IngestEventRequest:
    return pb.IngestEventRequest(event=event)


def batch(*events: pb.Event) -> pb.BatchIngestEventsRequest:
    return pb.BatchIngestEventsRequest(events=events)


def with_property(name: str, value: object) -> pb.Event:
    return message(properties=wire.to_struct({name: value}))
