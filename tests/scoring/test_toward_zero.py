"""Decay of negative scores, an option of the model: they rise toward zero as positive scores fall."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain.entry import EntryKind
from scoring_service.domain.lead import Decision
from scoring_service.domain.model import Decay, Event, ScoringModel, Stage
from scoring_service.domain.timeline import Mode, Timeline
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.living import LivingLead
from tests.scoring.models import BUILT_IN, FIRST
from tests.scoring.strategies import START

DECAYS = (
    Decay(timedelta(), percent_per_day=5, toward_zero=True),
    Decay(timedelta(), percent_per_day=100, toward_zero=True),
    Decay(timedelta(), half_life=timedelta(days=1), toward_zero=True),
    Decay(timedelta(), half_life=timedelta(days=36_500), toward_zero=True),
)


def below_zero(decay: Decay) -> ScoringModel:
    """Returns a model with scores from -100 up."""
    return replace(BUILT_IN, score_floor=-100, stages=(Stage("disqualified", -100), *BUILT_IN.stages), decay=decay)


def option(*, toward_zero: bool) -> ScoringModel:
    """Returns a model of which 5 % decay per day."""
    return below_zero(Decay(timedelta(days=7), percent_per_day=5, toward_zero=toward_zero))


@given(st.integers(-(10**12), 10**12), st.sampled_from(DECAYS))
def test_a_negative_score_mirrors_a_positive_one(score: int, decay: Decay) -> None:
    model = replace(below_zero(decay), score_floor=-(10**12), score_ceiling=10**12)
    assert model.decayed(-score) == -model.decayed(score)


@given(st.integers(-300, -1), st.sampled_from(DECAYS))
def test_a_negative_score_rises_every_day_until_it_is_zero(score: int, decay: Decay) -> None:
    model = below_zero(decay)
    while score:
        after = model.decayed(score)
        assert score < after <= 0
        score = after


@pytest.mark.parametrize("score", [-100, -1, 0])
def test_a_negative_score_does_not_change_without_the_option_or_without_decay(score: int) -> None:
    assert option(toward_zero=False).decayed(score) == score
    assert below_zero(Decay(timedelta(), percent_per_day=0, toward_zero=True)).decayed(score) == score


def test_a_negative_score_ends_at_a_ceiling_below_zero() -> None:
    model = replace(option(toward_zero=True), score_ceiling=-90)
    assert [model.decayed(score) for score in (-100, -93, -90, -80)] == [-95, -90, -90, -80]


def test_the_floor_of_decay_is_for_positive_scores() -> None:
    model = below_zero(Decay(timedelta(), percent_per_day=50, floor=7, toward_zero=True))
    assert [model.decayed(score) for score in (10, 7, 3, -3, -7)] == [7, 7, 3, -1, -3]


@pytest.mark.parametrize("historical", [True, False])
def test_the_rise_of_history_is_quiet(historical: bool) -> None:
    timeline = Timeline([FIRST], {1: option(toward_zero=True)}.__getitem__)
    lead = LivingLead(lambda: timeline)
    event = Event("e", "unsubscribe", START, historical=historical)
    lead.record([timeline.judge(event)], None)
    update = lead.record([], (START + timedelta(days=80)).date())
    assert [(entry.kind, entry.stage_before, entry.stage_after) for entry in update.entries] == [
        (EntryKind.DECAY, "disqualified", "cold")
    ]
    passed = [[point.stage for point in transition.path] for transition in update.transitions]
    assert [stages[-1] for stages in passed] == ([] if historical else ["cold"])


async def seed(scoring: Scoring, *, toward_zero: bool, age: int = 9) -> None:
    """One lead has -20 points and one has 20; 9 days later, two ticks are due."""
    await scoring.publish(option(toward_zero=toward_zero), Mode.RESCORE)
    await scoring.put(("e1", "uli", "unsubscribe", days_ago(age)), ("e2", "vera", "signup", days_ago(age)))
    await scoring.drain_all()


async def scores(scoring: Scoring) -> list[int]:
    return [(await scoring.queries.score(lead, None)).lead.state.score for lead in ("uli", "vera")]


async def test_runs_do_not_look_at_negative_scores_without_the_option(scoring: Scoring) -> None:
    await seed(scoring, toward_zero=False)
    summary = await scoring.run_decay(NOW)
    assert (summary.leads_total, summary.leads_changed) == (1, 1)
    assert await scores(scoring) == [-20, 18]
    assert await scoring.verify() == []


async def test_a_run_raises_negative_scores(scoring: Scoring) -> None:
    await seed(scoring, toward_zero=True)
    dry = [progress async for progress in scoring.decay.dry_run(NOW)][-1]
    real = await scoring.run_decay(NOW)
    for summary in (dry, real):
        assert (summary.leads_total, summary.leads_changed, summary.entries, summary.points_removed) == (2, 2, 2, 0)
    assert await scores(scoring) == [-18, 18]
    assert (await scoring.run_decay(NOW)).entries == 0
    assert await scoring.verify() == []


async def test_an_earlier_model_with_the_option_still_counts_for_its_time(scoring: Scoring) -> None:
    """Ticks from before the publication follow the model that was in force then, so runs must find these leads."""
    scoring.now = days_ago(30)
    await seed(scoring, toward_zero=True)
    scoring.now = days_ago(1)
    await scoring.publish(option(toward_zero=False), Mode.FORWARD)
    await scoring.run_decay(NOW)
    assert await scores(scoring) == [-19, 18], "one tick came before the publication"
    assert await scoring.verify() == []


async def test_automation_sees_the_stages_that_a_lead_rises_to(scoring: Scoring) -> None:
    await seed(scoring, toward_zero=True, age=60)
    await scoring.run_decay(NOW)
    assert await scores(scoring) == [0, 0]
    rows = await scoring.changes.rows.find().to_list()
    [rise] = [each for row in rows for each in row["changes"] if each["lead_id"] == "uli" and each["sequence"] == 2]
    assert (rise["kinds"], rise["stages"]) == (["DECAY"], ["disqualified", "cold"])
    assert rise["scores"] == list(range(-20, 1))


async def test_a_reset_takes_the_rise_back(scoring: Scoring) -> None:
    await seed(scoring, toward_zero=True)
    await scoring.run_decay(NOW)
    decision = Decision("a clock was ahead", "ops@example.com")
    summary = [progress async for progress in scoring.decay.reset(days_ago(8).date(), decision)][-1]
    assert (summary.leads_changed, summary.points_removed) == (2, 0)
    assert await scores(scoring) == [-20, 20]
    assert await scoring.verify() == []
