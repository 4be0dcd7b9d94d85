"""A fitted model is valid, and its engine gives the scores, the fit and the probabilities that were learnt."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from cli.learning.calibration import steps_of, wilson
from cli.learning.facts import Facts, Limits
from cli.learning.fitted import fitted_model
from cli.learning.histories import Seen
from cli.learning.kinds import Kind
from cli.learning.recency import FOREVER, Recency
from cli.learning.scorecard import FittedRule, Scorecard
from cli.learning.selection import Constraints
from scoring_service import model_codec
from scoring_service.domain.calendar import Calendar
from scoring_service.domain.model import Event, ScoringModel
from scoring_service.domain.replay import fold
from scoring_service.domain.timeline import Mode, Publication, Timeline
from tests.cli.fake_scoring import built_in
from tests.cli.learning.leads import BEGAN, QUESTION, collected, fitted, with_outcomes

BERLIN = ZoneInfo("Europe/Berlin")


def scorecard(rules: tuple[FittedRule, ...], scores: list[int]) -> Scorecard:
    many = len(scores)
    converted = np.arange(many) % 2 == 0
    return Scorecard(
        rules, (), FOREVER, np.array(scores), np.zeros(many, np.int64), converted, np.ones(many), 0.7, 0.7, 0.7
    )


def leads(many: int) -> list[list[Seen]]:
    """Returns leads with many events of few types, at odd times; those that call convert more often."""
    chance = np.random.default_rng(3)
    found, odds = [], []
    for number in range(many):
        began = BEGAN + number * timedelta(hours=5)
        hours = np.sort(chance.integers(0, 160, int(chance.integers(1, 20)))).tolist()
        types = chance.choice(["apply", "view page", "call", "stop"], len(hours)).tolist()
        events = [
            Seen("identify", began, {"size": float(chance.integers(1, 100)), "land": str(chance.choice(["DE", "US"]))})
        ]
        events += [
            Seen(name, began + hour * timedelta(hours=1, seconds=1), {"amount": float(chance.integers(0, 9))})
            for name, hour in zip(types, hours, strict=True)
        ]
        found.append(events)
        amounts = sum(each.properties["amount"] > 5 for each in events if each.event_type == "apply")
        odds.append(
            types.count("call") * 0.8 + amounts * 0.5 - types.count("stop") - 1 + (events[0].properties["size"] > 50)
        )
    return with_outcomes(found, odds)


@pytest.mark.parametrize("recency", [FOREVER, Recency(2), Recency(7)])
def test_the_engine_gives_the_scores_that_were_learnt(recency: Recency) -> None:
    """A lead has the same score and fit by the published model as by the scorecard: special kinds, limits, decay."""
    collector = collected(leads(400), time_zone=BERLIN, splits={"apply": "amount"})
    facts = Facts.of(collector)
    found = fitted(facts, constraints=Constraints(recencies=[recency]))
    assert len({rule.limits for rule in found.event_rules}) > 1 or len(found.event_rules) > 3, (
        "the data should call for many rules"
    )
    assert found.attribute_rules
    model = read(found)
    timeline = Timeline([Publication(1, 1, 0, Mode.RESCORE, BEGAN)], lambda _: model)
    by_start = {events[0].time: events for events in leads(400)}
    for row, lead in enumerate(collector.sample()):
        landmark = lead.began + timedelta(days=7)
        recorded = [
            Event(str(number), each.event_type, each.time, each.properties)
            for number, each in enumerate(by_start[lead.began])
            if each.time < landmark
        ]
        calendar = Calendar(BERLIN)
        state = fold(timeline, calendar, timeline.judge_all(recorded), calendar.date_of(landmark))
        assert state.score == found.scores[row]
        assert model.calibration
        assert model.calibration.at(state.score).leads > 50
        assert model.fitness(state.attributes.values, state.score).points == found.fits[row]


def read(found: Scorecard) -> ScoringModel:
    return model_codec.read_model(fitted_model(found, QUESTION, built_in(), "fitted"), 1)


def test_a_fitted_model_is_valid_whatever_it_is_fitted_to() -> None:
    kinds = [
        Kind("Ä/ß", "x", equals="y" * 256),
        Kind("Ä/ß"),
        Kind("…"),
        Kind("a" * 256),
        Kind("a" * 255 + "b"),
        Kind("rule-2"),
    ]
    rules = tuple(FittedRule(kind, Limits(1), -1) for kind in kinds)
    base = built_in()
    for number in range(5):
        base.stages.add(stage=f"s{number}", minimum_score=50 + number)
    model = fitted_model(scorecard(rules, [0, 0, 0]), QUESTION, base, "fitted")
    found = model_codec.read_model(model, 1)
    assert len({rule.rule_id for rule in found.rules}) == len(kinds)
    assert [stage.minimum_score for stage in found.stages] == [-6, 0, 1, 2, 3, 4, 5]


def test_a_calibration_rises_and_rests_on_enough_leads() -> None:
    chance = np.random.default_rng(5)
    scores = chance.integers(-20, 60, 5_000)
    true = 1 / (1 + np.exp(-scores / 15))
    steps = steps_of(scores, chance.random(5_000) < true, np.ones(5_000))
    assert 5 <= len(steps) <= 12
    assert sum(step.leads for step in steps) == 5_000
    assert min(step.leads for step in steps) >= 385
    probabilities = [step.probability for step in steps]
    assert probabilities == sorted(probabilities)
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        mine = (scores >= step.minimum_score) & (scores < (following.minimum_score if following else 99))
        assert step.low <= true[mine].mean() <= step.high or abs(step.probability - true[mine].mean()) < 0.04


def test_a_calibration_of_a_useless_score_is_one_step() -> None:
    scores, converted = np.arange(1_000), np.arange(1_000) % 2 == 0
    [step] = steps_of(-scores, (scores > 700) | converted, np.ones(1_000))
    assert (step.minimum_score, step.leads) == (-999, 1_000)
    assert step.low < step.probability < step.high


def test_weights_give_the_rates_of_all_leads() -> None:
    converted = np.arange(400) < 200
    [step] = steps_of(np.zeros(400, np.int64), converted, np.where(converted, 1.0, 9.0))
    assert (step.probability, step.leads) == (0.1, 2_000)


def test_the_interval_of_a_share_is_that_of_wilson() -> None:
    assert wilson(1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-4)
    assert wilson(0, 50) == pytest.approx((0.0, 0.0713), abs=1e-4)
    assert wilson(50, 50) == pytest.approx((0.9287, 1.0), abs=1e-4)
