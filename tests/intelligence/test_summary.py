"""The counts over all leads."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from intelligence_service.domain.model import Model, Stage
from intelligence_service.domain.summary import Tally
from intelligence_service.usecases import SUMMARY_PAGE_SIZE, Intelligence
from tests.intelligence.fakes import MODEL, NOW, FakeModels, FakeScores, facts


async def test_a_summary_counts_all_leads_over_all_pages() -> None:
    leads = [facts(f"lead-{score}", score=score) for score in range(SUMMARY_PAGE_SIZE + 1)]
    silent = facts("silent", score=10_000, inactivity=timedelta(days=8))
    summary = await Intelligence(FakeScores(*leads, silent), FakeModels(), lambda: NOW).summary()
    assert summary.lead_count == SUMMARY_PAGE_SIZE + 2
    assert summary.stages == {"cold": 11, "warm": 20, "hot": 29, "qualified": SUMMARY_PAGE_SIZE + 2 - 60}
    assert summary.risks == {"low": SUMMARY_PAGE_SIZE + 1, "high": 1}
    assert (summary.churned_count, summary.next_actions["re_engage"]) == (1, 1)
    assert sum(summary.next_actions.values()) == sum(each.lead_count for each in summary.scores) == summary.lead_count
    assert (summary.as_of_time, summary.model_version) == (NOW, 1)


async def test_a_summary_of_no_leads_lists_every_name_with_zero() -> None:
    summary = await Intelligence(FakeScores(), FakeModels(), lambda: NOW).summary()
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
    ranges = Tally(model).summary(NOW).scores
    assert (ranges[0].minimum_score, ranges[-1].maximum_score) == (model.score_floor, model.score_ceiling)
    assert all(lower.maximum_score + 1 == upper.minimum_score for lower, upper in pairwise(ranges))
    assert all(each.minimum_score <= each.maximum_score for each in ranges)
