"""A scorecard finds the points that made the data, and says when there is nothing to find."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from cli.learning.checks import NothingToLearn
from cli.learning.facts import Facts
from cli.learning.histories import Seen
from cli.learning.recency import FOREVER
from cli.learning.scorecard import Scorecard
from cli.learning.selection import Constraints
from tests.cli.learning.leads import (
    BEGAN,
    DAY,
    QUESTION,
    TRUE_POINTS,
    facts_of,
    fitted,
    identified,
    made,
    with_outcomes,
)


def points_of(scorecard: Scorecard) -> dict[str, int]:
    return {rule.kind.event_type: rule.points for rule in scorecard.event_rules}


def test_the_points_that_made_the_data_are_recovered_within_one() -> None:
    found = fitted(facts_of(made(15_000)))
    points = points_of(found)
    assert set(points) == set(TRUE_POINTS), "the event that all leads have tells nothing"
    scale = 10 / max(map(abs, points.values()))
    for name, true in TRUE_POINTS.items():
        assert points[name] * scale == pytest.approx(true, abs=1), name
    assert found.exact_auc - found.auc <= 0.001


def test_the_same_data_give_the_same_scorecard() -> None:
    first, second = (fitted(facts_of(made(2_000)), seed=7) for _ in range(2))
    assert first.event_rules == second.event_rules


def test_the_heaviest_rules_are_kept() -> None:
    found = fitted(facts_of(made(5_000)), max_rules=2)
    assert set(points_of(found)) == {"demo_request", "unsubscribe"}


def test_a_sign_is_kept_to() -> None:
    found = fitted(
        facts_of(made(5_000)), constraints=Constraints({"unsubscribe": 1, "demo_request": -1}, recencies=(FOREVER,))
    )
    points = points_of(found)
    assert points.get("unsubscribe", 0) >= 0
    assert points.get("demo_request", 0) <= 0


def test_noise_gives_no_rules_that_look_good() -> None:
    leads = made(3_000, dict.fromkeys(TRUE_POINTS, 0))
    try:
        found = fitted(facts_of(leads))
    except NothingToLearn:
        return
    assert found.auc < 0.55


@pytest.mark.parametrize(
    ("types", "sentence"),
    [
        (("lost", "lost"), "only 0 of 100 leads with a known outcome converted"),
        (("won", "won"), "only 0 of 100 leads with a known outcome did not convert"),
    ],
)
def test_one_outcome_alone_teaches_nothing(types: tuple[str, str], sentence: str) -> None:
    began = [BEGAN + number * DAY for number in range(100)]
    leads = [
        [Seen("signup", time, {}), Seen(types[number % 2], time + 9 * DAY, {})] for number, time in enumerate(began)
    ]
    with pytest.raises(NothingToLearn, match=sentence):
        fitted(facts_of(leads))


def test_leads_without_anything_different_teach_nothing() -> None:
    leads = [
        [
            Seen("signup", BEGAN + number * DAY, {}),
            Seen("won" if number % 3 else "lost", BEGAN + (number + 9) * DAY, {}),
        ]
        for number in range(200)
    ]
    with pytest.raises(NothingToLearn, match="no kind of event tells the leads apart"):
        fitted(facts_of(leads))


def test_points_of_attributes_are_recovered_beside_those_of_events() -> None:
    chance, leads = np.random.default_rng(2), 8_000
    countries, sizes = chance.choice(["DE", "US"], leads), chance.integers(1, 1_000, leads)
    titles = chance.choice(["VP Sales", "Head of Sales", "Intern", "CTO"], leads)
    attributes = [
        {"country": str(country), "company": {"size": float(size)}, "title": str(title), "plan": "free"}
        for country, size, title in zip(countries, sizes, titles, strict=True)
    ]
    events = identified(attributes)
    asked = chance.random(leads) < 0.5
    for each, asks in zip(events, asked, strict=True):
        each.append(Seen("call", each[0].time + timedelta(hours=1), {}))
        each += [Seen("demo_request", each[0].time + DAY, {})] if asks else []
    odds = 2 * asked + (countries == "DE") + 1.0 * (sizes >= 500) - (titles == "Intern") - 1.5
    found = fitted(facts_of(with_outcomes(events, odds)))
    points = {(rule.kind.prop, rule.kind.equals or rule.kind.word): rule.points for rule in found.attribute_rules}
    [demo] = [rule.points for rule in found.event_rules if rule.kind.event_type == "demo_request"]
    by_country = points.get(("country", "DE"), 0) - points.get(("country", "US"), 0)
    assert by_country / demo == pytest.approx(0.5, abs=0.1), "the points of events and attributes have one scale"
    assert min(points, key=lambda key: points[key]) == ("title", "Intern")
    large = [rule.points for rule in found.attribute_rules if (rule.kind.at_least or 0) > 400]
    small = [rule.points for rule in found.attribute_rules if rule.kind.is_range and (rule.kind.less_than or 999) < 600]
    assert sum(large) > sum(small)
    assert not [name for name, _ in points if name == "plan"], "what all leads have tells nothing"


@cache
def in_bins(leads: int = 2_000) -> Facts:
    """Returns leads that convert most often if they are of medium size."""
    sizes = np.random.default_rng(3).integers(1, 1_000, leads)
    events = [
        [*each, Seen("call", each[0].time, {"minutes": float(size)})]
        for each, size in zip(identified([{"size": float(size)} for size in sizes]), sizes, strict=True)
    ]
    odds = 1.5 * ((sizes > 250) & (sizes < 700)) - 0.7
    return facts_of(with_outcomes(events, odds), splits={"call": "minutes"})


@pytest.mark.parametrize(("order", "sign"), [(1, 0), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_points_rise_or_fall_with_a_number_if_asked(order: int, sign: int) -> None:
    signs = {"size": sign, "call": sign} if sign else {}
    facts, orders = in_bins(), {"size": order, "call:minutes": order}
    assert not _is_ordered(fitted(facts), order), "otherwise they would not"
    try:
        found = fitted(facts, constraints=Constraints(signs, orders, (FOREVER,)))
    except NothingToLearn:
        return
    assert _is_ordered(found, order)
    assert all(rule.points * sign >= 0 for rule in (*found.event_rules, *found.attribute_rules))


def _is_ordered(found: Scorecard, order: int) -> bool:
    """Whether points never fall, or never rise, from one range to the next; a range without a rule gives none."""
    for rules in (found.event_rules, found.attribute_rules):
        bounds = sorted({rule.kind.at_least or 0.0 for rule in rules} | {rule.kind.less_than or 1e9 for rule in rules})
        points = [sum(rule.points for rule in rules if rule.kind.holds(low)) for low in bounds[:-1]]
        if any((after - before) * order < 0 for before, after in pairwise(points)):
            return False
    return True


def test_decay_is_chosen_only_if_old_events_count_less() -> None:
    chance, leads = np.random.default_rng(4), 4_000
    ages, visits = chance.integers(0, 13, leads), chance.integers(1, 4, leads)
    events = [
        [Seen("signup", each[0].time, {}), *[Seen("visit", each[0].time + int(13 - age) * DAY, {})] * int(count)]
        for each, age, count in zip(identified([{}] * leads), ages, visits, strict=True)
    ]
    question = replace(QUESTION, landmarks=(14 * DAY,))
    fading, steady = 6 * 0.5 ** (ages / 3) - 2, visits - 2.0
    recent = fitted(facts_of(with_outcomes(events, fading, days=20), question=question), constraints=Constraints())
    assert recent.recency.half_life_days in {3, 7}
    even = fitted(facts_of(with_outcomes(events, steady, days=20), question=question), constraints=Constraints())
    assert even.recency == FOREVER
