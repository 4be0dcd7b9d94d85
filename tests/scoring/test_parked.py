"""Parked events over gRPC, and in the backlog and verification reports."""

from typing import Any

import bson
import grpc
import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from ingest_service.domain.event import Event
from ingest_service.ports import PutResult
from ingest_service.store import MongoEventStore
from shared import wire
from testkit.serving import refusal
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.requests import Stub, backlog_of


@pytest.fixture(autouse=True)
async def _parked(scoring: Scoring) -> None:
    """Four events, of which three are parked."""
    await scoring.put(*((f"e{number}", "ada", "signup", days_ago(number)) for number in range(4)))
    parked = {"state": "parked", "attempts": 5, "reason": "KeyError: 'x'", "reason_code": "FAILED", "park_time": NOW}
    await scoring.events.rows.update_many({"_id": {"$in": ["e1", "e2", "e3"]}}, {"$set": parked})


async def test_parked_events_are_listed_page_by_page(stub: Stub) -> None:
    first = await stub.ListParkedEvents(pb.ListParkedEventsRequest(page_size=2))
    assert [each.event_id for each in first.parked_events] == ["e1", "e2"]
    assert (first.parked_events[0].lead_id, first.parked_events[0].attempts) == ("ada", 5)
    assert first.parked_events[0].reason == "KeyError: 'x'"
    assert first.parked_events[0].reason_code == pb.PARK_REASON_CODE_FAILED
    last = await stub.ListParkedEvents(pb.ListParkedEventsRequest(page_size=2, page_token=first.next_page_token))
    assert [each.event_id for each in last.parked_events] == ["e3"]
    assert last.next_page_token == ""


@pytest.mark.parametrize(
    ("damage", "lead_ids"),
    [
        ({"$set": {"event_time": bson.DatetimeMS(300_000_000_000_000)}}, ["ada", "ada", "ada"]),
        ({"$set": {"lead_id": None}}, ["", "ada", "ada"]),
        ({"$unset": {"lead_id": ""}}, ["", "ada", "ada"]),
    ],
    ids=["a time after the year 9999", "no text as lead", "no lead"],
)
async def test_a_damaged_event_is_listed_with_the_others(
    scoring: Scoring, stub: Stub, damage: dict[str, Any], lead_ids: list[str]
) -> None:
    await scoring.events.rows.update_one({"_id": "e1"}, damage)
    found = await stub.ListParkedEvents(pb.ListParkedEventsRequest())
    assert [each.lead_id for each in found.parked_events] == lead_ids


async def test_a_parked_event_is_reported_and_is_no_violation(scoring: Scoring, stub: Stub) -> None:
    await scoring.drain_all()
    backlog = await backlog_of(stub)
    assert backlog == pb.GetScoringBacklogResponse(parked_events=3)
    progress = [each async for each in stub.VerifyScores(pb.VerifyScoresRequest())]
    assert (progress[-1].violations_total, progress[-1].events_parked) == (0, 3)


async def test_a_parked_event_that_is_retracted_is_discarded(scoring: Scoring, stub: Stub) -> None:
    await scoring.drain_all()
    answer = pb.RetractEventResponse(lead_id="ada", discarded=True)
    for reason in ("a bot", "again"):
        assert await stub.RetractEvent(pb.RetractEventRequest(event_id="e1", reason=reason, actor="eve")) == answer
    row = await scoring.events.rows.find_one({"_id": "e1"})
    assert row is not None
    assert (row["state"], row["discard_reason"], row["discard_actor"]) == ("discarded", "a bot", "eve")
    assert (await stub.GetLeadScore(pb.GetLeadScoreRequest(lead_id="ada"))).lead_score.score == 20
    assert (await stub.RetryParkedEvents(pb.RetryParkedEventsRequest(event_ids=["e1"]))).retried_count == 0


async def test_discarded_events_are_counted_never_scored_and_no_violation(scoring: Scoring, stub: Stub) -> None:
    some = pb.DiscardParkedEventsRequest(event_ids=["e0", "e1", "unknown"], reason="a bot", actor="eve")
    every = pb.DiscardParkedEventsRequest(all=True, reason="a bot", actor="eve")
    counts = [(await stub.DiscardParkedEvents(each)).discarded_count for each in (some, some, every, every)]
    assert counts == [1, 0, 2, 0]
    await scoring.drain_all()
    assert await backlog_of(stub) == pb.GetScoringBacklogResponse(discarded_events=3)
    assert (await stub.ListParkedEvents(pb.ListParkedEventsRequest())) == pb.ListParkedEventsResponse()
    progress = [each async for each in stub.VerifyScores(pb.VerifyScoresRequest())]
    assert (progress[-1].violations_total, progress[-1].events_parked, progress[-1].events_discarded) == (0, 0, 3)
    sent_again = MongoEventStore(scoring.events, lambda: NOW)
    again = Event("e1", "ada", "signup", days_ago(1), {}, "")
    assert await sent_again.put([again]) == [PutResult.DUPLICATE]
    await scoring.drain_all()
    assert (await stub.GetLeadScore(pb.GetLeadScoreRequest(lead_id="ada"))).lead_score.event_count == 1


async def test_a_stopped_drain_is_reported(scoring: Scoring, stub: Stub) -> None:
    stop = {"error": "KeyError: 'x'", "failed_rows": 50, "stop_time": NOW, "report_time": NOW}
    await scoring.events.record_stop(stop)
    backlog = await backlog_of(stub)
    assert backlog.stopped_drain == pb.StoppedDrain(
        error="KeyError: 'x'", failed_events=50, stop_time=wire.to_timestamp(NOW)
    )


async def test_a_retried_event_is_scored_as_a_late_event(scoring: Scoring, stub: Stub) -> None:
    await scoring.drain_all()
    some = pb.RetryParkedEventsRequest(event_ids=["e0", "e1", "unknown"])
    every = pb.RetryParkedEventsRequest(all=True)
    counts = [(await stub.RetryParkedEvents(each)).retried_count for each in (some, some, every, every)]
    assert counts == [1, 0, 2, 0]
    await scoring.drain_all()
    assert await scoring.verify() == []
    assert (await stub.GetLeadScore(pb.GetLeadScoreRequest(lead_id="ada"))).lead_score.score == 80
    assert await backlog_of(stub) == pb.GetScoringBacklogResponse()


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("ListParkedEvents", pb.ListParkedEventsRequest(page_size=-1), "page_size"),
        ("ListParkedEvents", pb.ListParkedEventsRequest(page_token="?"), "page_token"),  # noqa: S106
        ("RetryParkedEvents", pb.RetryParkedEventsRequest(), "event_ids"),
        ("RetryParkedEvents", pb.RetryParkedEventsRequest(event_ids=["a"], all=True), "event_ids"),
        ("RetryParkedEvents", pb.RetryParkedEventsRequest(event_ids=["a\0"]), "event_ids[0]"),
        ("RetryParkedEvents", pb.RetryParkedEventsRequest(event_ids=["a"] * 501), "event_ids"),
        ("DiscardParkedEvents", pb.DiscardParkedEventsRequest(reason="x", actor="me"), "event_ids"),
        ("DiscardParkedEvents", pb.DiscardParkedEventsRequest(all=True, actor="me"), "reason"),
        ("DiscardParkedEvents", pb.DiscardParkedEventsRequest(all=True, reason="x"), "actor"),
        ("DiscardParkedEvents", pb.DiscardParkedEventsRequest(all=True, reason="x" * 1025, actor="me"), "reason"),
    ],
)
async def test_a_bad_argument_is_named(stub: Stub, method: str, request_: Any, field: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await getattr(stub, method)(request_)
    code, _, fields = refusal(caught.value)
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
