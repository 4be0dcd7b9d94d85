"""The RPCs of the ingest service, over gRPC and with a store in memory."""

import math
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from leadscore.ingest.v1 import ingest_pb2 as pb
from pymongo.errors import ConnectionFailure, ExecutionTimeout

from ingest_service import servicer as module
from ingest_service.domain.event import MAX_EVENTS, Event
from ingest_service.servicer import SERVICE
from shared import wire
from testkit.serving import refusal
from tests.ingest.fakes import NOW, FakeEventStore, event
from tests.ingest.requests import Stub, batch, message, one, with_property

INVALID = [
    (pb.Event(), "event_id"),
    (message(""), "event_id"),
    (message("a" * 257), "event_id"),
    (message("a\0"), "event_id"),
    (message("decay:2026-03-01:ada"), "event_id"),
    (message(lead_id=""), "lead_id"),
    (message(event_type="a" * 257), "event_type"),
    (message(event_time=None), "event_time"),
    (message(event_time=Timestamp()), "event_time"),
    (message(sent_time=Timestamp()), "sent_time"),
    (message(event_time=Timestamp(seconds=-1)), "event_time"),
    (message(event_time=wire.to_timestamp(NOW + timedelta(minutes=5, milliseconds=1))), "event_time"),
    (message(event_time=Timestamp(seconds=2**63 - 1)), "event_time"),
    (message(event_time=Timestamp(seconds=-(2**63))), "event_time"),
    (message(properties=wire.to_struct({f"p{number}": "a" * 8192 for number in range(8)})), "properties"),
    (with_property("id", 2**63 - 1), "properties.id"),
    (with_property("amount", math.nan), "properties.amount"),
    (with_property("amount", -math.inf), "properties.amount"),
    (with_property("note", "a\0"), "properties.note"),
    (with_property("a\0", 1), "properties.a\0"),
    (message(source="a" * 257), "source"),
]


async def test_an_event_is_accepted_once(stub: Stub, store: FakeEventStore) -> None:
    assert (await stub.IngestEvent(one(message()))).outcome == pb.OUTCOME_ACCEPTED
    assert (await stub.IngestEvent(one(message()))).outcome == pb.OUTCOME_DUPLICATE
    assert list(store.events) == ["e1"]


async def test_an_event_is_stored_exactly_as_sent(stub: Stub, store: FakeEventStore) -> None:
    properties = {
        "text": "é😀",
        "number": 3,
        "yes": True,
        "nothing": None,
        "list": [1.5, "a"],
        "deep": {"a": {"b": []}},
    }
    sent = message("full", properties=wire.to_struct(properties))
    sent.event_time.nanos = 123_999_999
    await stub.IngestEvent(one(sent))
    assert store.events["full"] == event("full", properties=properties)
    assert type(store.events["full"].properties["yes"]) is bool
    await stub.IngestEvent(
        one(pb.Event(event_id="bare", lead_id="b", event_type="t", event_time=wire.to_timestamp(NOW)))
    )
    assert store.events["bare"] == Event("bare", "b", "t", NOW, {}, "")


async def test_an_id_of_a_different_event_is_a_conflict(stub: Stub, store: FakeEventStore) -> None:
    await stub.IngestEvent(one(message()))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.IngestEvent(one(message(source="crm")))
    assert refusal(caught.value) == (grpc.StatusCode.ALREADY_EXISTS, "EVENT_ID_CONFLICT", ["event_id"])
    assert store.events == {"e1": event()}


@pytest.mark.parametrize(("invalid", "field"), INVALID)
async def test_an_invalid_event_is_refused_with_the_field(
    stub: Stub, store: FakeEventStore, invalid: pb.Event, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.IngestEvent(one(invalid))
    assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "EVENT_INVALID", [field])
    assert store.puts == []


@pytest.mark.parametrize(("invalid", "field"), INVALID)
async def test_an_invalid_event_of_a_batch_is_rejected_with_the_field(
    stub: Stub, store: FakeEventStore, invalid: pb.Event, field: str
) -> None:
    request = batch(message("first"), invalid, message("last"))
    first, rejected, last = (await stub.BatchIngestEvents(request)).outcomes
    assert rejected.message.startswith(f"{field}: ")
    assert rejected == pb.EventOutcome(
        event_id=invalid.event_id,
        outcome=pb.OUTCOME_REJECTED,
        reason=pb.ERROR_REASON_EVENT_INVALID,
        field=field,
        message=rejected.message,
    )
    assert [first, last] == [pb.EventOutcome(event_id=each, outcome=pb.OUTCOME_ACCEPTED) for each in ("first", "last")]
    assert set(store.events) == {"first", "last"}


async def test_a_batch_returns_every_outcome_in_order(stub: Stub, store: FakeEventStore) -> None:
    await store.put([event("old")])
    request = batch(message("new"), message("old"), message("old", source="crm"), message("new"))
    new, old, other, again = (await stub.BatchIngestEvents(request)).outcomes
    assert other.message.startswith("event_id: differs in source from the event stored as 'old'")
    assert [new, old, other, again] == [
        pb.EventOutcome(event_id="new", outcome=pb.OUTCOME_ACCEPTED),
        pb.EventOutcome(event_id="old", outcome=pb.OUTCOME_DUPLICATE),
        pb.EventOutcome(
            event_id="old",
            outcome=pb.OUTCOME_REJECTED,
            reason=pb.ERROR_REASON_EVENT_ID_CONFLICT,
            field="event_id",
            message=other.message,
            differing_fields=["source"],
        ),
        pb.EventOutcome(event_id="new", outcome=pb.OUTCOME_DUPLICATE),
    ]


async def test_a_batch_of_1000_events_is_accepted(stub: Stub, store: FakeEventStore) -> None:
    ids = [f"e{number}" for number in range(MAX_EVENTS)]
    outcomes = (await stub.BatchIngestEvents(batch(*map(message, ids)))).outcomes
    assert [each.event_id for each in outcomes] == ids
    assert {each.outcome for each in outcomes} == {pb.OUTCOME_ACCEPTED}
    assert list(store.events) == ids


@pytest.mark.parametrize("count", [0, MAX_EVENTS + 1])
async def test_an_empty_batch_or_one_of_more_than_1000_events_is_refused(
    stub: Stub, store: FakeEventStore, count: int
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.BatchIngestEvents(batch(*(message(f"e{number}") for number in range(count))))
    assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "BATCH_INVALID", ["events"])
    assert store.puts == []


async def test_the_events_of_a_batch_that_is_too_large_are_not_translated(
    stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    translated: list[pb.Event] = []
    monkeypatch.setattr(module, "_event", translated.append)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.BatchIngestEvents(pb.BatchIngestEventsRequest.FromString(b"\x0a\x00" * 500_000))
    assert refusal(caught.value)[1] == "BATCH_INVALID"
    assert translated == []


async def test_a_request_without_an_event_reports_the_first_missing_field(stub: Stub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.IngestEvent(pb.IngestEventRequest())
    assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "EVENT_INVALID", ["event_id"])


@pytest.mark.parametrize("name", ["k" * 30_000, "€" * 3_000])
async def test_an_invalid_property_with_a_long_name_is_refused_as_any_other(stub: Stub, name: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.IngestEvent(one(with_property(name, math.nan)))
    response = (caught.value.code(), (caught.value.details() or "")[:100])
    assert response[0] is grpc.StatusCode.INVALID_ARGUMENT, (
        f"expected an error that the caller can decode, not {response}"
    )
    _, reason, (field,) = refusal(caught.value)
    assert (reason, field[:10]) == ("EVENT_INVALID", "properties")


@pytest.mark.parametrize("method", ["IngestEvent", "BatchIngestEvents"])
@pytest.mark.parametrize("data", [b"\xff", b"\x0a\xff", b"\x0a\x04\x0a\x02\xff\xfe"])
async def test_bytes_that_cannot_be_parsed_are_an_invalid_argument(
    channel: grpc.aio.Channel, store: FakeEventStore, method: str, data: bytes
) -> None:
    call: Any = channel.unary_unary(f"/{SERVICE}/{method}")  # bytes in, bytes out, which grpc's types lack
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(data)
    assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID", ["request"])
    assert store.puts == []


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (ConnectionFailure("a secret"), grpc.StatusCode.UNAVAILABLE),
        (ExecutionTimeout("a secret"), grpc.StatusCode.DEADLINE_EXCEEDED),
        (TimeoutError("a secret"), grpc.StatusCode.DEADLINE_EXCEEDED),
        (RuntimeError("a secret"), grpc.StatusCode.INTERNAL),
    ],
)
@pytest.mark.parametrize("method", ["IngestEvent", "BatchIngestEvents"])
async def test_a_failed_write_is_not_acknowledged(
    stub: Stub, store: FakeEventStore, method: str, fault: Exception, code: grpc.StatusCode
) -> None:
    store.faults = [fault]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(stub, method)(one(message()) if method == "IngestEvent" else batch(message()))
    assert refusal(caught.value) == (code, "", [])
    assert "secret" not in (caught.value.details() or "")
    assert (await stub.IngestEvent(one(message()))).outcome == pb.OUTCOME_ACCEPTED
