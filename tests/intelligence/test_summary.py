"""The counts over all leads."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence_service.domain.insight import LeadFacts, decide, verdict_of
from intelligence_service.domain.model import Model, NextAction, Stage
from intelligence_service.domain.summary import grouping_for, summarize
from intelligence_service.usecases import Intelligence
from tests.intelligence.fakes import MODEL, NOW, FakeModels, FakeScores, facts

COUNT = 1_000
MILLISECOND = timedelta(milliseconds=1)


async def test_a_summary_counts_all_leads() -> None:
    leads = [facts(f"lead-{score}", score=score) for score in range(COUNT)]
    silent = facts("silent", score=10_000, inactivity=timedelta(days=8))
    summary = await Intelligence(FakeScores(*leads, silent), FakeModels()).summary()
    assert summary.lead_count == COUNT + 1
    assert summary.stages == {"cold": 11, "warm": 20, "hot": 29, "qualified": COUNT - 59}
    assert summary.risks == {"low": COUNT, "high": 1}
    assert (summary.churned_count, summary.next_actions["re_engage"]) == (1, 1)
    assert sum(summary.next_actions.values()) == sum(each.lead_count for each in summary.scores) == summary.lead_count
    assert (summary.as_of_time, summary.model_version) == (NOW, 1)


async def test_a_summary_of_no_leads_lists_every_name_with_zero() -> None:
    summary = await Intelligence(FakeScores(), FakeModels()).summary()
    assert list(summary.stages.items()) == [("cold", 0), ("warm", 0), ("hot", 0), ("qualified", 0)]
    assert list(summary.risks) == ["low", "high"]
    assert list(summary.next_actions) == [row.next_action for row in MODEL.next_actions]
    assert summary.lead_count == 0


@pytest.mark.parametrize(
    "model",
    [
        MODEL,
        replace(MODEL, score_floor=-50, stages=(Stage("only", -50),)),
        replace(MODEL, score_ceiling=60),
        replace(MODEL, score_ceiling=2**60),
    ],
)
def test_the_score_ranges_ascend_without_gap_from_floor_to_ceiling(model: Model) -> None:
    ranges = summarize((), model, NOW).scores
    assert (ranges[0].minimum_score, ranges[-1].maximum_score) == (model.score_floor, model.score_ceiling)
    assert all(lower.maximum_score + 1 == upper.minimum_score for lower, upper in pairwise(ranges))
    assert all(each.minimum_score <= each.maximum_score for each in ranges)


velocities = st.integers(0, 12)


@given(
    st.integers(0, 5),
    st.lists(st.builds(NextAction, st.just("act"), st.sampled_from([(), ("hot",), ("cold", "hot")]), velocities)),
    st.sampled_from([(), ("hot",)]),
)
def test_more_recent_events_than_a_group_counts_change_no_verdict(
    weight: int, rows: list[NextAction], churn_stages: tuple[str, ...]
) -> None:
    actions = (*rows, NextAction("otherwise"))
    model = replace(MODEL, velocity_weight=weight, next_actions=actions, churn_stages=churn_stages)
    grouping = grouping_for(model)
    for score, limit in zip(grouping.minimum_scores, grouping.max_recent_event_counts, strict=True):
        for is_idle in (True, False):
            stage = model.stages_around(score)[0].stage
            verdicts = [verdict_of(stage, count, model, is_idle=is_idle) for count in range(limit, limit + 15)]
            assert len({(each.row, each.risk, each.churned) for each in verdicts}) == 1, (score, limit)


@given(
    leads=st.lists(
        st.builds(
            facts,
            score=st.integers(-5, 15) | st.integers(25, 35) | st.integers(50, 300),
            recent=st.integers(0, 4),
            inactivity=st.sampled_from([timedelta(hours=-1), timedelta(), MODEL.idle, MODEL.idle + MILLISECOND]),
        ),
        max_size=30,
    )
)
def test_a_summary_counts_what_each_lead_is_told(leads: list[LeadFacts]) -> None:
    """Leads are grouped by what decides their verdict, so it makes no difference whether they are judged one by one."""
    scores = FakeScores(*(lead._replace(lead_id=str(number)) for number, lead in enumerate(leads)))
    summary = asyncio.run(Intelligence(scores, FakeModels()).summary())
    verdicts = [decide(lead, MODEL) for lead in leads]
    counted = Counter(each.stage for each in leads)
    assert {name: count for name, count in summary.stages.items() if count} == counted
    assert {name: count for name, count in summary.risks.items() if count} == Counter(each.risk for each in verdicts)
    next_actions = Counter(each.row.next_action for each in verdicts)
    assert {name: count for name, count in summary.next_actions.items() if count} == next_actions
    assert summary.churned_count == sum(each.churned for each in verdicts)
    for each in summary.scores[1:]:
        within = [lead for lead in leads if each.minimum_score <= lead.score <= each.maximum_score]
        assert each.lead_count == len(within), f"scores from {each.minimum_score} to {each.maximum_score}"
    assert summary.lead_count == sum(each.lead_count for each in summary.scores) == len(leads)
