"""Average precision, rates and lift, against their definitions."""

from collections import Counter
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain.ranking import Ranking, ranking_of

LEADS = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=60)


def stage_of(score: int) -> str:
    return "hot" if score >= 6 else "cold"


def ranked(leads: list[tuple[int, bool]]) -> Ranking:
    converted, others = (Counter(score for score, converts in leads if converts is kind) for kind in (True, False))
    return ranking_of(converted, others, ["cold", "hot", "hottest"], stage_of)


@given(LEADS)
def test_average_precision_is_the_mean_precision_at_each_converted_lead(leads: list[tuple[int, bool]]) -> None:
    found = ranked(leads).average_precision
    if len({converts for _, converts in leads}) == 1:
        assert found is None
        return
    precisions = [
        fmean(converts for other, converts in leads if other >= score) for score, converted in leads if converted
    ]
    assert found == pytest.approx(fmean(precisions))


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
    assert (found.leads, found.converted, found.average_precision) == (10, 2, 1.0)
    assert [(each.rate, each.lift) for each in found.deciles[:3]] == [(1, 5), (1, 5), (0, 0)]
    assert found.stages[1].rate == 0.5
    assert found.stages[1].lift == 2.5


def test_equal_scores_are_shared_out_evenly() -> None:
    found = ranked([(5, number < 5) for number in range(20)])
    assert all(each.rate == pytest.approx(0.25) for each in found.deciles)
    assert found.average_precision == 0.25


@pytest.mark.parametrize("number", [9_999_999, 123_456_789_013])
def test_however_many_leads_there_are_each_is_in_one_decile(number: int) -> None:
    found = ranking_of({5: 3}, {5: number - 3}, ["cold"], stage_of)
    assert [each.leads for each in found.deciles] == [number / 10] * 10
    assert sum(each.converted for each in found.deciles) == pytest.approx(3)


@given(LEADS)
def test_ranges_of_few_leads_are_single_scores(leads: list[tuple[int, bool]]) -> None:
    found = {each.minimum: (each.leads, each.converted) for each in ranked(leads).ranges}
    assert found == {
        score: (
            sum(other == score for other, _ in leads),
            sum(converts for other, converts in leads if other == score),
        )
        for score in sorted({score for score, _ in leads})
    }


@given(st.dictionaries(st.integers(-100_000, 100_000), st.integers(1, 3), max_size=2_000))
def test_ranges_are_few_however_many_scores_there_are(counts: dict[int, int]) -> None:
    total = sum(counts.values())
    found = ranking_of(counts, counts, ["cold"], stage_of).ranges
    assert len(found) <= 400
    assert (sum(each.leads for each in found), sum(each.converted for each in found)) == (2 * total, total)
    minimums = [each.minimum for each in found]
    assert minimums == sorted(set(minimums) & set(counts))
    assert all(each.leads * 200 < 2 * total or each.leads == 2 * counts[each.minimum] for each in found)


def test_a_ranking_without_leads_is_empty() -> None:
    found = ranked([])
    assert found.ranges == ()
    assert (found.leads, found.auc, found.average_precision) == (0, None, None)
    assert all(each.leads == 0 for each in found.deciles)
