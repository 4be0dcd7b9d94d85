"""What the service corrects, shortens and warns of, and what its answers say about it."""

from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from leadscore.ingest.v1 import ingest_pb2 as pb
from leadscore.ingest.v1 import ingest_pb2_grpc

from shared import wire
from testkit.serving import refusal
from tests.ingest.fakes import NOW, FakeEventStore, event
from tests.ingest.requests import Stub, batch, ingesting, message, one


def metadata(error: grpc.RpcError) -> dict[str, str]:
    """Returns the metadata of the ErrorInfo of an error."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return dict(info.metadata)


async def test_the_sent_time_and_the_historical_mark_are_carried(stub: Stub, store: FakeEventStore) -> None:
    sent = NOW + timedelta(hours=2)
    await stub.IngestEvent(one(message("marked", sent_time=wire.to_timestamp(sent), historical=True)))
    assert store.events["marked"] == event("marked", sent_time=sent, historical=True)
    await stub.IngestEvent(one(message("ahead", sent_time=wire.to_timestamp(sent))))
    corrected = event("ahead", event_time=NOW - timedelta(hours=2), original_time=NOW, sent_time=sent)
    assert store.events["ahead"] == corrected
    again = one(message("ahead", sent_time=wire.to_timestamp(sent + timedelta(hours=1))))
    assert (await stub.IngestEvent(again)).outcome == pb.OUTCOME_DUPLICATE
    assert store.events["ahead"] == corrected, "expected the stored time to stay as it is"


async def test_a_property_that_is_too_long_is_cut_and_the_answer_says_so(stub: Stub, store: FakeEventStore) -> None:
    long = {"note": "a" * 8193, "deep": [[[[[[[[1]]]]]]]], "page": "/pricing"}
    expected = pb.Shortening(cut_properties=["note"], left_out_count=1)
    for outcome in (pb.OUTCOME_ACCEPTED, pb.OUTCOME_DUPLICATE):
        answer = await stub.IngestEvent(one(message(properties=wire.to_struct(long))))
        assert answer == pb.IngestEventResponse(outcome=outcome, shortening=expected)
    request = batch(message("short"), message(properties=wire.to_struct(long)))
    assert [each.shortening for each in (await stub.BatchIngestEvents(request)).outcomes] == [pb.Shortening(), expected]
    assert store.events["e1"].properties == {"note": "a" * 8192, "page": "/pricing"}
    assert store.events["e1"].shortening == (("note",), 1)


async def test_a_lead_id_has_its_normal_form_on_request(store: FakeEventStore) -> None:
    async with ingesting(store, "trim,nfc,email") as channel:
        stub = ingest_pb2_grpc.IngestServiceStub(channel)
        await stub.IngestEvent(one(message(lead_id=" Ada@Example.com")))
        again = await stub.BatchIngestEvents(batch(message(lead_id="ada@example.com\u00a0")))
        assert again.outcomes[0].outcome == pb.OUTCOME_DUPLICATE
        assert store.events["e1"].lead_id == "ada@example.com"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.IngestEvent(one(message("e2", lead_id=" \u200b ")))
        assert refusal(caught.value) == (grpc.StatusCode.INVALID_ARGUMENT, "EVENT_INVALID", ["lead_id"])


async def test_what_cannot_be_seen_is_warned_of(stub: Stub) -> None:
    assert (await stub.IngestEvent(one(message(lead_id="ada ")))).warning.startswith("lead_id: ends with U+0020")
    answers = (await stub.BatchIngestEvents(batch(message("e2"), message("e3", event_type="signup ")))).outcomes
    assert [each.warning.partition(":")[0] for each in answers] == ["", "event_type"]


async def test_a_conflict_names_the_fields_that_differ(stub: Stub, store: FakeEventStore) -> None:
    await stub.IngestEvent(one(message()))
    other = message(source="crm", event_type="signup")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.IngestEvent(one(other))
    assert metadata(caught.value) == {"differing_fields": "event_type,source"}
    (outcome,) = (await stub.BatchIngestEvents(batch(other))).outcomes
    assert outcome.differing_fields == ["event_type", "source"]
