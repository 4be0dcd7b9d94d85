"""ListLeadScores, and the page sizes of all lists, over the real use cases and a real database."""

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service.domain.timeline import Mode, Publication
from tests.scoring.conftest import DAY, ENGINE, NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN
from tests.scoring.requests import (
    Stub,
    listing,
    model,
    pages,
    published,
    score_of,
)


async def seed_leads(scoring: Scoring) -> None:
    """Leads with equal scores and times; all events of `x`, `y` and `z` have been retracted."""
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
async def test_pages_of_leads_are_in_order(scoring: Scoring, stub: Stub, order: pb.LeadOrder, lead_ids: str) -> None:
    await seed_leads(scoring)
    for size in (1, 2, 4, 9, 0):
        found = await pages(stub.ListLeadScores, listing(order=order, page_size=size))
        listed = "".join(each.lead_id for page in found for each in page.lead_scores)
        assert listed == lead_ids, f"pages of {size}: each lead must appear once, in order"
        assert len(found) == -(-9 // (size or 9)), f"pages of {size}: the last page must not be empty"


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
        assert "".join(each.lead_id for each in listed) == lead_ids, f"query {query}"
        for each in listed:
            assert each == await score_of(stub, each.lead_id), "a list must show the same as GetLeadScore"


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
        assert [each.score for each in listed] == scores, f"query {query}"


async def test_a_stage_filter_returns_the_leads_of_that_stage(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(("e1", "ada", "signup", days_ago(1)))
    await scoring.drain_all()
    stages = [pb.Stage(stage="cold", minimum_score=30), pb.Stage(stage="hot", minimum_score=60)]
    raised = model(score_floor=30, stages=stages, churn_stages=["hot"], next_actions=[pb.NextAction(next_action="go")])
    await published(stub, raised, pb.PUBLICATION_MODE_FORWARD)
    await scoring.rollout.step()
    shown = await score_of(stub)
    assert (shown.score, shown.stage, shown.model_version) == (20, "cold", 2), (
        "old scores must stay, even below the new floor"
    )
    listed = (await stub.ListLeadScores(listing(stage="cold"))).lead_scores
    assert [each.lead_id for each in listed] == ["ada"], "the lead must be listed under the stage that it shows"


# Histories.


async def test_page_sizes_are_those_of_the_proto(scoring: Scoring, stub: Stub) -> None:
    await scoring.put(*((f"l{n}", f"lead{n}", "page_view", days_ago(1)) for n in range(1_001)))
    await scoring.put(*((f"e{n}", "ada", "page_view", days_ago(1)) for n in range(1_001)))
    for _ in range(2):
        await scoring.drain_all(1_000)
    for size, leads, entries in ((0, 50, 100), (9_999, 1_000, 1_000)):
        listed = await stub.ListLeadScores(listing(page_size=size))
        assert len(listed.lead_scores) == leads, f"page_size={size} of leads"
        history = await stub.ListScoreHistory(pb.ListScoreHistoryRequest(lead_id="ada", page_size=size))
        assert len(history.entries) == entries, f"page_size={size} of entries"


async def test_page_sizes_of_models_are_those_of_the_proto(scoring: Scoring, stub: Stub) -> None:
    for _ in range(100):
        await scoring.publishing.create(BUILT_IN)
    for size, count in ((0, 20), (999, 100)):
        models = await stub.ListScoringModels(pb.ListScoringModelsRequest(page_size=size))
        assert len(models.scoring_models) == count, f"page_size={size} of models"
    for number in range(2, 102):
        await scoring.models.publish(Publication(number, 1, 1, Mode.FORWARD, NOW + number * DAY, engine=ENGINE))
    for size, count in ((0, 20), (999, 100)):
        made = await stub.ListModelPublications(pb.ListModelPublicationsRequest(page_size=size))
        assert len(made.publications) == count, f"page_size={size} of publications"
