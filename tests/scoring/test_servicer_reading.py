"""GetLeadScore and BatchGetLeadScores over the real use cases and a real database."""

import grpc
import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from shared import wire
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.requests import (
    FIT,
    Stub,
    adjusting,
    at,
    listing,
    model,
    published,
    retracting,
    score_of,
)


async def seed_ada(scoring: Scoring) -> None:
    """Seeds a lead that uses every field of a score: 20 points from seven events and two adjustments."""
    properties = {"country": "NL", "size": 12.5, "big": True, "gone": None, "plan": {"name": "pro"}, "tags": ["a", 1.0]}
    await scoring.put(("e1", "ada", "identify", days_ago(4)), **properties)
    await scoring.put(
        ("e2", "ada", "signup", days_ago(3)),
        ("e3", "ada", "download", days_ago(2)),
        ("e4", "ada", "unsubscribe", days_ago(1.5)),
        ("e5", "ada", "webinar", days_ago(1.25)),
        ("e6", "ada", "page_view", days_ago(0.5)),
        ("e7", "ada", "page_view", days_ago(0.25)),
    )
    await scoring.drain_all()


async def test_attributes_that_the_driver_decodes_as_a_reference_are_returned_unchanged(
    scoring: Scoring, stub: Stub
) -> None:
    await scoring.put(("e1", "ada", "identify", days_ago(2)), **{"$ref": "leads", "company": "ACME"})
    await scoring.drain_all()
    await scoring.put(("e2", "ada", "identify", days_ago(1)), **{"$id": 1.0})
    await scoring.drain_all()
    await scoring.put(("e3", "ada", "identify", days_ago(0.5)), size=12.5)
    await scoring.drain_all()
    attributes = {"$ref": "leads", "$id": 1.0, "company": "ACME", "size": 12.5}
    assert wire.to_dict((await score_of(stub)).attributes) == attributes
    (listed,) = (await stub.ListLeadScores(listing())).lead_scores
    assert wire.to_dict(listed.attributes) == attributes
    assert await scoring.verify() == []


async def test_a_score_has_all_fields(scoring: Scoring, stub: Stub) -> None:
    await published(stub, model(fit=FIT))
    await scoring.rollout.step()
    await seed_ada(scoring)
    for request_id, delta in (("r1", 5), ("r2", -5)):
        await stub.AdjustLeadScore(adjusting(delta=delta, request_id=request_id))
    score = await score_of(stub)
    attributes = wire.to_struct(
        {"country": "NL", "size": 12.5, "big": True, "gone": None, "plan": {"name": "pro"}, "tags": ["a", 1.0]}
    )
    assert score == pb.LeadScore(
        lead_id="ada",
        score=20,
        stage="warm",
        event_count=7,
        first_event_time=at(days_ago(4)),
        last_event_time=at(days_ago(0.25)),
        recent_event_count=2,
        contributions=[
            pb.RuleContribution(rule_id="signup", points=20),
            pb.RuleContribution(rule_id="download", points=10),
            pb.RuleContribution(rule_id="page_view", points=10),
            pb.RuleContribution(rule_id="unsubscribe", points=-20),
        ],
        attributes=attributes,
        sequence=9,
        model_version=2,
        as_of_time=at(NOW),
        fit_points=30,
        fit_grade="A",
        rating="A2",
    )


async def test_a_score_as_of_a_past_time_is_the_score_at_that_time(scoring: Scoring, stub: Stub) -> None:
    await seed_ada(scoring)
    await published(stub, model(fit=FIT))
    await scoring.rollout.step()
    score = await score_of(stub, as_of_time=at(days_ago(2)))
    assert (score.score, score.stage, score.event_count, score.recent_event_count) == (30, "warm", 3, 1)
    assert (wire.to_time(score.as_of_time), wire.to_time(score.last_event_time)) == (days_ago(2), days_ago(2))
    assert [each.rule_id for each in score.contributions] == ["signup", "download"]
    assert (score.model_version, score.fit_grade, score.rating) == (1, "", ""), (
        "the model in force then had no fit rules"
    )
    assert score.sequence == 7, "the sequence is that of the current state"
    assert (await score_of(stub, as_of_time=at(NOW))) == (await score_of(stub)), "as of now equals the current score"


async def test_an_unknown_score_is_reported_with_the_requested_time_if_there_is_one(stub: Stub) -> None:
    for as_of, sentence in (
        (None, "no event of lead 'eve' has been scored"),
        (at(NOW), f"no event of lead 'eve' has been scored by {NOW:%Y-%m-%d %H:%M:%S} UTC"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetLeadScore(pb.GetLeadScoreRequest(lead_id="eve", as_of_time=as_of))
        assert caught.value.details() == sentence


async def test_a_lead_without_events_has_no_event_times(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    await stub.RetractEvent(retracting())
    score = await score_of(stub)
    assert (score.score, score.event_count, list(score.contributions)) == (0, 0, [])
    assert not score.HasField("first_event_time"), "a lead without events has no first_event_time"
    assert not score.HasField("last_event_time"), "a lead without events has no last_event_time"


async def test_a_batch_keeps_the_requested_order_and_lists_missing_leads(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e-{lead}", lead, "signup", days_ago(day)) for lead, day in (("a", 1), ("b", 2), ("c", 3))))
    await scoring.drain_all()
    asked = ["c", "nobody", "a", "c", "b", "nobody", "who"]
    response = await stub.BatchGetLeadScores(pb.BatchGetLeadScoresRequest(lead_ids=asked))
    assert [each.lead_id for each in response.lead_scores] == ["c", "a", "b"]
    assert list(response.missing_lead_ids) == ["nobody", "who"]
    assert response.lead_scores[0] == await score_of(stub, "c")
    then = pb.BatchGetLeadScoresRequest(lead_ids=asked, as_of_time=at(days_ago(2)))
    response = await stub.BatchGetLeadScores(then)
    assert [each.lead_id for each in response.lead_scores] == ["c", "b"], "`a` had no events by then"
    assert list(response.missing_lead_ids) == ["nobody", "a", "who"]
    assert {wire.to_time(each.as_of_time) for each in response.lead_scores} == {days_ago(2)}
