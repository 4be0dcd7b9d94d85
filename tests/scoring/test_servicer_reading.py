"""What callers read over gRPC: scores, leads and histories, over the real use cases and a real database."""

from datetime import timedelta

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.timeline import Mode, Publication
from shared import wire
from tests.scoring.conftest import DAY, ENGINE, NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN
from tests.scoring.requests import (
    FIT,
    Stub,
    adjusting,
    answers,
    at,
    history_of,
    listing,
    model,
    pages,
    published,
    retracting,
    score_of,
    worth,
)


async def seed_ada(scoring: Scoring) -> None:
    """A lead with all that a score can show: 20 points, of seven events and two adjustments."""
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


async def test_attributes_that_the_driver_reads_as_a_reference_are_told_as_they_are(
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


async def test_a_score_is_told_whole(scoring: Scoring, stub: Stub) -> None:
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


async def test_a_score_as_of_a_time_is_the_one_of_then(scoring: Scoring, stub: Stub) -> None:
    await seed_ada(scoring)
    await published(stub, model(fit=FIT))
    await scoring.rollout.step()
    score = await score_of(stub, as_of_time=at(days_ago(2)))
    assert (score.score, score.stage, score.event_count, score.recent_event_count) == (30, "warm", 3, 1)
    assert (wire.to_time(score.as_of_time), wire.to_time(score.last_event_time)) == (days_ago(2), days_ago(2))
    assert [each.rule_id for each in score.contributions] == ["signup", "download"]
    assert (score.model_version, score.fit_grade, score.rating) == (1, "", ""), "the model in force then knew no fit"
    assert score.sequence == 7, "the sequence is that of the live state"
    assert (await score_of(stub, as_of_time=at(NOW))) == (await score_of(stub)), "now is live"


async def test_a_lead_that_lost_its_events_has_no_times(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    await stub.RetractEvent(retracting())
    score = await score_of(stub)
    assert (score.score, score.event_count, list(score.contributions)) == (0, 0, [])
    assert not score.HasField("first_event_time"), "expected no time of a first event"
    assert not score.HasField("last_event_time"), "expected no time of a last event"


async def test_a_batch_answers_in_the_order_asked_and_names_the_missing(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e-{lead}", lead, "signup", days_ago(day)) for lead, day in (("a", 1), ("b", 2), ("c", 3))))
    await scoring.drain_all()
    asked = ["c", "nobody", "a", "c", "b", "nobody", "who"]
    response = await stub.BatchGetLeadScores(pb.BatchGetLeadScoresRequest(lead_ids=asked))
    assert [each.lead_id for each in response.lead_scores] == ["c", "a", "b"]
    assert list(response.missing_lead_ids) == ["nobody", "who"]
    assert response.lead_scores[0] == await score_of(stub, "c")
    then = pb.BatchGetLeadScoresRequest(lead_ids=asked, as_of_time=at(days_ago(2)))
    response = await stub.BatchGetLeadScores(then)
    assert [each.lead_id for each in response.lead_scores] == ["c", "b"], "nothing had reached `a` by then"
    assert list(response.missing_lead_ids) == ["nobody", "a", "who"]
    assert {wire.to_time(each.as_of_time) for each in response.lead_scores} == {days_ago(2)}


async def seed_leads(scoring: Scoring) -> None:
    """Leads with scores and times that others have, too; `x`, `y` and `z` have lost all their events."""
    await scoring.put(
        ("e1", "a", "signup", days_ago(3)),
        ("e2", "b", "demo_request", days_ago(2)),
        ("e3", "c", "signup", days_ago(3)),
        ("e4", "d", "contract_signed", days_ago(1)),
        ("e5", "e", "signup", days_ago(3)),
        ("e6", "f", "page_view", days_ago(2)),
        *((f"gone-{lead}", lead, "page_view", days_ago(1)) for lead in "zyx"),
    )
    await scoring.drain_all()
    for lead in "xyz":
        await scoring.corrections.retract(f"gone-{lead}", "a bot", "eve")


@pytest.mark.parametrize(
    ("order", "lead_ids"),
    [
        (pb.LEAD_ORDER_UNSPECIFIED, "dbacefxyz"),
        (pb.LEAD_ORDER_SCORE, "dbacefxyz"),
        (pb.LEAD_ORDER_LAST_EVENT_TIME, "dbfacexyz"),
        (pb.LEAD_ORDER_LEAD_ID, "abcdefxyz"),
    ],
)
async def test_leads_come_in_order_page_by_page(
    scoring: Scoring, stub: Stub, order: pb.LeadOrder, lead_ids: str
) -> None:
    await seed_leads(scoring)
    for size in (1, 2, 4, 9, 0):
        found = await pages(stub.ListLeadScores, listing(order=order, page_size=size))
        listed = "".join(each.lead_id for page in found for each in page.lead_scores)
        assert listed == lead_ids, f"pages of {size}: expected each lead once, in order"
        assert len(found) == -(-9 // (size or 9)), f"pages of {size}: expected no empty page at the end"


FILTERED = [
    (listing(stage="cold", page_size=2), "fxyz"),
    (listing(stage="warm", page_size=2), "ace"),
    (listing(stage="hot", page_size=1), "b"),
    (listing(stage="qualified"), "d"),
    (listing(minimum_score=20, page_size=2), "dbace"),
    (listing(minimum_score=21), "db"),
    (listing(minimum_score=0), "dbacefxyz"),
    (listing(minimum_score=-(2**63)), "dbacefxyz"),
    (listing(minimum_score=2**63 - 1), ""),
    (listing(stage="warm", minimum_score=5), "ace"),
    (listing(stage="warm", minimum_score=21), ""),
    (listing(stage="cold", minimum_score=1, order=pb.LEAD_ORDER_LEAD_ID), "f"),
]


async def test_leads_are_filtered(scoring: Scoring, stub: Stub) -> None:
    await seed_leads(scoring)
    for query, lead_ids in FILTERED:
        found = await pages(stub.ListLeadScores, query)
        listed = [each for page in found for each in page.lead_scores]
        assert "".join(each.lead_id for each in listed) == lead_ids, f"of {query}"
        for each in listed:
            assert each == await score_of(stub, each.lead_id), "expected a list to show what GetLeadScore shows"


async def test_scores_below_zero_are_listed_unless_a_minimum_is_given(scoring: Scoring, stub: Stub) -> None:
    stages = [pb.Stage(stage="cold", minimum_score=-50), *model().stages[1:]]
    await published(stub, model(score_floor=-50, stages=stages))
    await scoring.put(("e1", "ada", "unsubscribe", days_ago(1)), ("e2", "bob", "webinar", days_ago(1)))
    await scoring.drain_all()
    for query, scores in (
        (listing(), [0, -20]),
        (listing(minimum_score=-20), [0, -20]),
        (listing(minimum_score=0), [0]),
    ):
        listed = (await stub.ListLeadScores(query)).lead_scores
        assert [each.score for each in listed] == scores, f"of {query}"


async def test_a_stage_lists_the_leads_that_are_shown_in_it(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    stages = [pb.Stage(stage="cold", minimum_score=30), pb.Stage(stage="hot", minimum_score=60)]
    raised = model(score_floor=30, stages=stages, churn_stages=["hot"], next_actions=[pb.NextAction(next_action="go")])
    await published(stub, raised, pb.PUBLICATION_MODE_FORWARD)
    await scoring.rollout.step()
    shown = await score_of(stub)
    assert (shown.score, shown.stage, shown.model_version) == (20, "cold", 2), "the past stays, below the new floor"
    listed = (await stub.ListLeadScores(listing(stage="cold"))).lead_scores
    assert [each.lead_id for each in listed] == ["ada"], "expected the lead in the stage that it is shown in"


# Histories.


async def test_every_kind_of_entry_is_told_whole(scoring: Scoring, stub: Stub) -> None:
    hours = [NOW + timedelta(hours=hour) for hour in range(5)]
    await scoring.put(("e1", "ada", "signup", days_ago(8)))
    await scoring.drain_all()
    scoring.now = hours[1]
    await answers(stub, "DecayScores", pb.DecayScoresRequest())
    scoring.now = hours[2]
    adjusted = (await stub.AdjustLeadScore(adjusting(target=34))).entry
    scoring.now = hours[3]
    await published(stub, worth(40))
    await scoring.rollout.step()
    scoring.now = hours[4]
    retracted = (await stub.RetractEvent(retracting())).entry
    entries = [
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_EVENT,
            event_id="e1",
            event_type="signup",
            rule_id="signup",
            model_version=1,
            points=20,
            delta=20,
            stage_before="cold",
            stage_after="warm",
            event_time=at(days_ago(8)),
        ),
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_DECAY,
            event_id="decay:2:ada",
            model_version=1,
            delta=-1,
            stage_before="warm",
            stage_after="warm",
            event_time=at(days_ago(0.5)),
            first_tick_date="2026-03-20",
            last_tick_date="2026-03-20",
            tick_count=1,
        ),
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_ADJUSTMENT,
            event_id="adjustment:r1",
            model_version=1,
            points=15,
            delta=15,
            stage_before="warm",
            stage_after="hot",
            event_time=at(hours[2]),
            reason="met at the fair",
            actor="eve",
        ),
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_MODEL,
            event_id="model:4:ada",
            model_version=2,
            delta=19,
            stage_before="hot",
            stage_after="hot",
            event_time=at(hours[3]),
        ),
        pb.ScoreEntry(
            kind=pb.ENTRY_KIND_RETRACTION,
            event_id="retraction:e1",
            event_type="signup",
            rule_id="signup",
            model_version=2,
            delta=-38,
            stage_before="hot",
            stage_after="warm",
            event_time=at(days_ago(8)),
            reason="a bot",
            actor="eve",
        ),
    ]
    for number, entry in enumerate(entries):
        entry.lead_id, entry.sequence = "ada", number + 1
        entry.record_time.CopyFrom(at(hours[number]))
        entry.score_before = entries[number - 1].score_after if number else 0
        entry.score_after = entry.score_before + entry.delta
    assert await history_of(stub) == entries
    assert (adjusted, retracted) == (entries[2], entries[4]), "a correction answers with the entry that is listed"


async def test_a_history_comes_in_both_directions_page_by_page(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(1 - n / 10)) for n in range(5)))
    await scoring.put(("other", "bob", "page_view", days_ago(1)))
    await scoring.drain_all()
    for newest_first, sequences in ((False, [1, 2, 3, 4, 5]), (True, [5, 4, 3, 2, 1])):
        for size in (1, 2, 5, 0):
            request = pb.ListScoreHistoryRequest(lead_id="ada", page_size=size, newest_first=newest_first)
            found = await pages(stub.ListScoreHistory, request)
            assert [each.sequence for page in found for each in page.entries] == sequences, f"pages of {size}"
            assert len(found) == -(-5 // (size or 5)), f"pages of {size}: expected no empty page at the end"


async def test_a_history_that_grows_goes_on_where_the_page_ended(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(1)) for n in range(3)))
    await scoring.drain_all()
    request = pb.ListScoreHistoryRequest(lead_id="ada", page_size=2)
    first = await stub.ListScoreHistory(request)
    await stub.AdjustLeadScore(adjusting(delta=1))
    request.page_token = first.next_page_token
    second = await stub.ListScoreHistory(request)
    assert [each.sequence for each in (*first.entries, *second.entries)] == [1, 2, 3, 4]


async def test_pages_have_the_sizes_that_the_proto_promises(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"l{n}", f"lead{n}", "page_view", days_ago(1)) for n in range(1_001)))
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(1)) for n in range(1_001)))
    for _ in range(2):
        await scoring.drain_all(1_000)
    for size, leads, entries in ((0, 50, 100), (9_999, 1_000, 1_000)):
        listed = await stub.ListLeadScores(listing(page_size=size))
        assert len(listed.lead_scores) == leads, f"of leads, {size} asked"
        history = await stub.ListScoreHistory(pb.ListScoreHistoryRequest(lead_id="ada", page_size=size))
        assert len(history.entries) == entries, f"of entries, {size} asked"


async def test_pages_of_models_have_the_sizes_that_the_proto_promises(scoring: Scoring, stub: Stub) -> None:
    for _ in range(100):
        await scoring.publishing.create(BUILT_IN)
    for size, count in ((0, 20), (999, 100)):
        models = await stub.ListScoringModels(pb.ListScoringModelsRequest(page_size=size))
        assert len(models.scoring_models) == count, f"of models, {size} asked"
    for number in range(2, 102):
        await scoring.models.publish(Publication(number, 1, 1, Mode.FORWARD, NOW + number * DAY, engine=ENGINE))
    for size, count in ((0, 20), (999, 100)):
        made = await stub.ListModelPublications(pb.ListModelPublicationsRequest(page_size=size))
        assert len(made.publications) == count, f"of publications, {size} asked"
