"""AUC, its interval and the paired test, against their definitions, lead by lead."""

from collections import Counter
from itertools import product
from math import erfc, sqrt
from statistics import fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring_service.domain.discrimination import auc_of, compare

SCORES = st.integers(-3, 9)
LEADS = st.lists(st.tuples(SCORES, SCORES, st.booleans()), min_size=1, max_size=40)


def wins(one: int, other: int) -> float:
    return (one > other) + (one == other) / 2


@given(LEADS)
def test_auc_is_the_share_of_pairs_in_the_right_order(leads: list[tuple[int, int, bool]]) -> None:
    converted = [score for score, _, converts in leads if converts]
    others = [score for score, _, converts in leads if not converts]
    found = auc_of(Counter(converted), Counter(others))
    if not converted or not others:
        assert found is None
    else:
        assert found is not None
        assert found.value == pytest.approx(fmean(wins(one, other) for one, other in product(converted, others)))
        if found.low is not None and found.high is not None:
            assert found.low <= found.value <= found.high
            assert found.low >= 0
            assert found.high <= 1


@given(LEADS)
def test_the_paired_test_is_that_of_delong_lead_by_lead(leads: list[tuple[int, int, bool]]) -> None:
    converted = [(before, after) for before, after, converts in leads if converts]
    others = [(before, after) for before, after, converts in leads if not converts]
    found = compare(Counter(converted), Counter(others))
    if len(converted) < 2 or len(others) < 2:
        assert found is None
        return
    # The placement of each lead among the leads of the other kind, by the second model minus by the first.
    of_converted = [fmean(wins(b, d) - wins(a, c) for c, d in others) for a, b in converted]
    of_others = [fmean(wins(d, b) - wins(c, a) for c, d in converted) for a, b in others]
    spread = variance(of_converted) / len(converted) + variance(of_others) / len(others)
    assert found is not None
    assert found.difference == pytest.approx(fmean(of_converted))
    if spread > 1e-12:
        assert found.p_value == pytest.approx(erfc(abs(found.difference) / sqrt(2 * spread)))


def test_the_interval_of_a_published_example() -> None:
    """Ten leads with one inversion: AUC 24/25, and DeLong's standard error 0.05657 by hand."""
    found = auc_of(Counter([5, 7, 8, 9, 10]), Counter([1, 2, 3, 4, 6]))
    assert found is not None
    assert found.value == pytest.approx(0.96)
    # Placements are 0.8, 1, 1, 1, 1 on both sides: variance 0.008 each, so the error is the root of 2 * 0.008 / 5.
    error = sqrt(0.0032)
    odds = 0.96 / 0.04
    factor = 2.718281828459045 ** (1.959964 * error / (0.96 * 0.04))
    assert found.low == pytest.approx(odds / factor / (1 + odds / factor))
    assert found.high == pytest.approx(odds * factor / (1 + odds * factor))


def test_equal_models_do_not_differ() -> None:
    found = compare(Counter({(3, 3): 5, (8, 8): 5}), Counter({(3, 3): 7, (1, 1): 2}))
    assert found is not None
    assert (found.difference, found.p_value) == (0, 1)


def test_without_errors_there_is_no_interval() -> None:
    found = auc_of(Counter([2, 3]), Counter([0, 1]))
    assert found is not None
    assert (found.value, found.low, found.high) == (1, None, None)
