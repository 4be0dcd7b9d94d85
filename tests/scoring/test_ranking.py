"""AUC, rates and lift, against their definitions."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain.ranking import Ranking, RankingTally

LEADS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60)


def stage_of(score: int) -> str:
    return "hot" if score >= 6 else "cold"


def ranked(leads: list[tuple[int, bool]]) -> Ranking:
    tally = RankingTally()
    for score, converts in leads:
        tally.add(score, converts=converts)
    return tally.ranking(["cold", "hot", "hottest"], stage_of)


@given(LEADS)
def test_auc_is_the_share_of_pairs_in_the_right_order(leads: list[tuple[int, bool]]) -> None:
    winners = [score for score, converts in leads if converts]
    losers = [score for score, converts in leads if not converts]
    found = ranked(leads).auc
    if not winners or not losers:
        assert found is None
    else:
        pairs = [(one > other) + (one == other) / 2 for one, other in product(winners, losers)]
        assert found == pytest.approx(sum(pairs) / len(pairs))


@given(LEADS)
def test_stages_and_deciles_hold_all_leads(leads: list[tuple[int, bool]]) -> None:
    found = ranked(leads)
    for buckets in (found.stages, found.deciles):
        assert sum(each.leads for each in buckets) == pytest.approx(len(leads))
        assert sum(each.converted for each in buckets) == pytest.approx(sum(converts for _, converts in leads))
    assert [each.name for each in found.stages] == ["cold", "hot", "hottest"]
    assert all(each.leads == pytest.approx(len(leads) / 10) for each in found.deciles)


def test_rate_and_lift() -> None:
    leads = [(score, score >= 8) for score in range(10)]
    found = ranked(leads)
    assert (found.leads, found.converted, found.auc) == (10, 2, 1.0)
    assert [(each.rate, each.lift) for each in found.deciles[:3]] == [(1, 5), (1, 5), (0, 0)]
    assert found.stages[1].rate == 0.5
    assert found.stages[1].lift == 2.5


def test_equal_scores_are_shared_out_evenly() -> None:
    found = ranked([(5, number < 5) for number in range(20)])
    assert all(each.rate == pytest.approx(0.25) for each in found.deciles)
    assert found.auc == 0.5


@pytest.mark.parametrize("number", [9_999_999, 123_456_789_013])
def test_however_many_leads_there_are_each_is_in_one_decile(number: int) -> None:
    tally = RankingTally()
    tally.leads[5], tally.converted[5] = number, 3  # adding them one by one would take a while
    found = tally.ranking(["cold"], stage_of)
    assert [each.leads for each in found.deciles] == [number / 10] * 10
    assert sum(each.converted for each in found.deciles) == pytest.approx(3)


def test_a_ranking_without_leads_is_empty() -> None:
    tally = RankingTally()
    tally.leave_out()
    found = tally.ranking(["cold"], stage_of)
    assert (found.leads, found.converted_before, found.auc) == (0, 1, None)
    assert all(each.leads == 0 for each in found.deciles)
