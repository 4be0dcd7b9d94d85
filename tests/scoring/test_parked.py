"""Parked events over gRPC, and what else tells of them."""

from typing import Any

import grpc
import pytest

from shared.pb.scoring.v1 import scoring_pb2 as pb
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.requests import Stub
from tests.serving import refusal


@pytest.fixture(autouse=True)
async def _parked(scoring: Scoring) -> None:
    """Four events, of which three are parked."""
    await scoring.put(*((f"e{number}", "ada", "signup", days_ago(number)) for number in range(4)))
    parked = {"state": "parked", "attempts": 5, "reason": "KeyError: 'x'", "park_time": NOW}
    await scoring.events.rows.update_many({"_id": {"$in": ["e1", "e2", "e3"]}}, {"$set": parked})


async def test_parked_events_are_listed_page_by_page(stub: Stub) -> None:
    first = await stub.ListParkedEvents(pb.ListParkedEventsRequest(page_size=2))
    assert [each.event_id for each in first.parked_events] == ["e1", "e2"]
    assert (first.parked_events[0].lead_id, first.parked_events[0].attempts) == ("ada", 5)
    assert first.parked_events[0].reason == "KeyError: 'x'"
    last = await stub.ListParkedEvents(pb.ListParkedEventsRequest(page_size=2, page_token=first.next_page_token))
    assert [each.event_id for each in last.parked_events] == ["e3"]
    assert last.next_page_token == ""


async def test_a_parked_event_is_told_of_and_is_no_violation(scoring: Scoring, stub: Stub) -> None:
    await scoring.drain_all()
    backlog = await stub.GetScoringBacklog(pb.GetScoringBacklogRequest())
    assert backlog == pb.GetScoringBacklogResponse(parked_events=3)
    progress = [each async for each in stub.VerifyScores(pb.VerifyScoresRequest())]
    assert (progress[-1].violations_total, progress[-1].events_parked) == (0, 3)
    with pytest.raises(grpc.RpcError) as caught:
        await stub.RetractEvent(pb.RetractEventRequest(event_id="e1", reason="why", actor="me"))
    assert refusal(caught.value)[:2] == (grpc.StatusCode.ABORTED, "EVENT_NOT_SCORED")


async def test_a_retried_event_is_a_late_one(scoring: Scoring, stub: Stub) -> None:
    await scoring.drain_all()
    some = pb.RetryParkedEventsRequest(event_ids=["e0", "e1", "unknown"])
    every = pb.RetryParkedEventsRequest(all=True)
    counts = [(await stub.RetryParkedEvents(each)).retried_count for each in (some, some, every, every)]
    assert counts == [1, 0, 2, 0]
    await scoring.drain_all()
    assert await scoring.verify() == []
    assert (await stub.GetLeadScore(pb.GetLeadScoreRequest(lead_id="ada"))).lead_score.score == 80
    assert await stub.GetScoringBacklog(pb.GetScoringBacklogRequest()) == pb.GetScoringBacklogResponse()


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("ListParkedEvents", pb.ListParkedEventsRequest(page_size=-1), "page_size"),
        ("ListParkedEvents", pb.ListParkedEventsRequest(page_token="?"), "page_token"),  # noqa: S106
        ("RetryParkedEvents", pb.RetryParkedEventsRequest(), "event_ids"),
        ("RetryParkedEvents", pb.RetryParkedEventsRequest(event_ids=["a"], all=True), "event_ids"),
        ("RetryParkedEvents", pb.RetryParkedEventsRequest(event_ids=["a\0"]), "event_ids[0]"),
        ("RetryParkedEvents", pb.RetryParkedEventsRequest(event_ids=["a"] * 501), "event_ids"),
    ],
)
async def test_a_bad_argument_is_named(stub: Stub, method: str, request_: Any, field: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await getattr(stub, method)(request_)
    code, _, fields = refusal(caught.value)
    assert (code, fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
