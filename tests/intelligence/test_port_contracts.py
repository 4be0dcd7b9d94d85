"""The contracts of the ports to the scoring service, run against the fakes and against the real service."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from intelligence_service.clients import ScoringModels, ScoringServiceReader
from intelligence_service.domain.insight import Contribution, Hypothesis, LeadFacts, LeadNotFound, ScoreEffect
from intelligence_service.domain.summary import Grouping
from intelligence_service.ports import Models, Order, ScoreReader, Wanted
from shared.mongo import Database
from shared.rpc.errors import InvalidArgument, InvalidPageToken
from tests.intelligence.fakes import MODEL, FakeModels, FakeScores
from tests.scoring.conftest import NOW, new_scoring, served_scoring

ATTRIBUTES = {"company": "Analytical Engines", "seats": 3.0}
NOTHING = Wanted(recent_events=False, contributions=False, fit=False, attributes=frozenset())


def known(lead_id: str, score: int, stage: str, rule_id: str, hours: int, recent: int = 0) -> LeadFacts:
    """Returns the facts of a lead with one event that a rule scored, `hours` before NOW."""
    return LeadFacts(
        lead_id=lead_id,
        as_of_time=NOW,
        score=score,
        stage=stage,
        event_count=1,
        recent_event_count=recent,
        last_event_time=NOW - timedelta(hours=hours),
        contributions=(Contribution(rule_id, score),),
        attributes={},
        model_version=1,
    )


ADA = known("ada", 50, "hot", "demo_request", 50)._replace(event_count=2, attributes=ATTRIBUTES)
BOB = known("bob", 20, "warm", "signup", 30)
CYD = known("cyd", 20, "warm", "signup", 40)
EVE = known("eve", 5, "cold", "page_view", 1, recent=1)


@pytest.fixture(params=["fake", "service"])
async def ports(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[tuple[ScoreReader, Models]]:
    """The scores of the leads, and the models; the real service has scored the events of the leads."""
    if request.param == "fake":
        yield FakeScores(ADA, BOB, CYD, EVE), FakeModels()
        return
    scoring = await new_scoring(database)
    for lead in (ADA, BOB, CYD, EVE):
        assert lead.last_event_time is not None
        await scoring.put((lead.lead_id, lead.lead_id, lead.contributions[0].rule_id, lead.last_event_time))
    await scoring.put(("identify", "ada", "identify", NOW - timedelta(hours=60)), **ATTRIBUTES)
    await scoring.drain_all()
    async with served_scoring(scoring) as channel:
        yield ScoringServiceReader(channel), ScoringModels(channel)


@pytest.fixture
def scores(ports: tuple[ScoreReader, Models]) -> ScoreReader:
    return ports[0]


@pytest.fixture
def models(ports: tuple[ScoreReader, Models]) -> Models:
    return ports[1]


async def test_one_returns_the_facts_of_a_lead(scores: ScoreReader) -> None:
    assert await scores.one("ada", None) == ADA
    with pytest.raises(LeadNotFound):
        await scores.one("nobody", None)


async def test_a_preview_says_what_events_would_do(scores: ScoreReader) -> None:
    found = await scores.preview("bob", [Hypothesis("demo_request", {}), Hypothesis("fax", {"pages": 3.0})])
    assert found.facts == BOB
    assert found.events == [
        ScoreEffect("demo_request", ("demo_request",), 50, 70, "qualified"),
        ScoreEffect("", ("fax",), 0, 70, "qualified"),
    ]
    assert [(each.rule_id, each.delta) for each in found.rules] == [
        ("contract_signed", 100),
        ("demo_request", 50),
        ("signup", 20),
        ("unsubscribe", -20),
        ("download", 10),
        ("page_view", 5),
    ]
    with pytest.raises(LeadNotFound):
        await scores.preview("nobody", [])


async def test_a_batch_is_in_the_given_order_and_leaves_out_leads_without_a_score(scores: ScoreReader) -> None:
    assert await scores.batch(["eve", "nobody", "ada"], None) == [EVE, ADA]


async def test_a_batch_leaves_empty_what_is_not_wanted(scores: ScoreReader) -> None:
    bare = [each._replace(recent_event_count=0, contributions=(), attributes={}) for each in (EVE, ADA)]
    assert await scores.batch(["eve", "ada"], None, NOTHING) == bare
    [ada] = await scores.batch(["ada"], None, replace(NOTHING, attributes=frozenset({"seats", "unknown"})))
    assert ada.attributes == {"seats": 3.0}


@pytest.mark.parametrize(
    ("order", "stage", "expected"),
    [
        (Order.SCORE, "", ["ada", "bob", "cyd", "eve"]),
        (Order.LAST_EVENT_TIME, "", ["eve", "bob", "cyd", "ada"]),
        (Order.SCORE, "warm", ["bob", "cyd"]),
    ],
)
async def test_pages_have_all_leads_of_a_stage_in_order(
    scores: ScoreReader, order: Order, stage: str, expected: list[str]
) -> None:
    first = await scores.page(order, stage, 3, "")
    found = [lead.lead_id for lead in first.leads]
    assert len(found) == min(3, len(expected)), "expected a page to be as large as asked for, if there are more leads"
    if first.next_page_token:
        last = await scores.page(order, stage, 3, first.next_page_token)
        assert not last.next_page_token
        found += [lead.lead_id for lead in last.leads]
    assert found == expected


async def test_a_page_of_an_unknown_stage_is_refused(scores: ScoreReader) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await scores.page(Order.SCORE, "lukewarm", 3, "")
    assert caught.value.field == "stage"


async def test_a_page_token_of_another_order_is_refused(scores: ScoreReader) -> None:
    token = (await scores.page(Order.SCORE, "", 1, "")).next_page_token
    with pytest.raises(InvalidPageToken):
        await scores.page(Order.LAST_EVENT_TIME, "", 1, token)


async def test_groups_contain_every_lead_once(scores: ScoreReader) -> None:
    grouping = Grouping([0, 11, 31], [5, 5, 5], MODEL.velocity_window, timedelta(hours=35))
    groups, as_of_time = await scores.groups(grouping)
    assert as_of_time == NOW
    assert {each.lead_count for each in groups} == {1}
    assert {(each.minimum_score, each.recent_event_count, each.is_idle) for each in groups} == {
        (0, 1, False),
        (11, 0, False),
        (11, 0, True),
        (31, 0, True),
    }


async def test_the_built_in_model_is_in_force_at_first(models: Models) -> None:
    assert await models.in_force() == await models.version(1) == MODEL
