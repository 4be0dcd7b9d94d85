"""Probabilities by score, and how well they agree with outcomes."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from statistics import fmean
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service import model_codec
from scoring_service.domain.calibration import Calibration, CalibrationStep, Reliability, reliability_of
from scoring_service.domain.model_validation import InvalidModel, check_model
from shared.message_files import messages as plain
from tests.scoring.models import BUILT_IN

STEPS: list[dict[str, Any]] = [
    {"minimum_score": 5, "probability": 0.03, "low": 0.02, "high": 0.05, "lead_count": 800},
    {"minimum_score": 20, "probability": 0.2, "low": 0.1, "high": 0.35, "lead_count": 150},
    {"minimum_score": 60, "probability": 1.0, "low": 0.8, "high": 1.0, "lead_count": 50},
]
FILE: dict[str, Any] = {"landmark": "7d", "horizon": "30d", "lead_count": 1000, "steps": STEPS}
CALIBRATION = Calibration(
    timedelta(days=7),
    timedelta(days=30),
    1000,
    tuple(
        CalibrationStep(each["minimum_score"], each["probability"], each["low"], each["high"], each["lead_count"])
        for each in STEPS
    ),
)
LEADS = st.lists(st.tuples(st.integers(-10, 100), st.booleans()), min_size=1, max_size=80)


def reliability(leads: list[tuple[int, bool]]) -> Reliability:
    converted, others = (Counter(score for score, converts in leads if converts is kind) for kind in (True, False))
    found = reliability_of(CALIBRATION, converted, others)
    assert found is not None
    return found


def flaws(content: dict[str, Any]) -> dict[str, str]:
    message = model_codec.write_model(BUILT_IN)
    message.calibration.CopyFrom(plain.from_plain(FILE | content, pb.Calibration))
    with pytest.raises(InvalidModel) as caught:
        model_codec.read_model(message, 1)
    return dict(caught.value.violations)


def with_step(index: int, **changes: object) -> dict[str, Any]:
    return {"steps": [step | changes if index == number else step for number, step in enumerate(STEPS)]}


@pytest.mark.parametrize(
    ("score", "probability"),
    [(-7, 0.03), (0, 0.03), (5, 0.03), (19, 0.03), (20, 0.2), (59, 0.2), (60, 1.0), (10**9, 1.0)],
)
def test_a_score_takes_the_last_step_at_or_below_it_and_the_first_step_has_no_lower_end(
    score: int, probability: float
) -> None:
    assert CALIBRATION.at(score).probability == probability


@pytest.mark.parametrize("horizon", [CALIBRATION.horizon, None])
def test_a_calibration_reads_back_as_it_was_written(horizon: timedelta | None) -> None:
    model = replace(BUILT_IN, calibration=replace(CALIBRATION, horizon=horizon))
    stored = plain.to_plain(model_codec.write_model(model))
    assert model_codec.read_model(plain.from_plain(stored, pb.ScoringModel), 1) == model


def test_a_calibration_reads_as_in_the_file() -> None:
    message = model_codec.write_model(replace(BUILT_IN, calibration=CALIBRATION))
    assert plain.to_plain(message.calibration) == FILE


@pytest.mark.parametrize(
    ("content", "path", "message"),
    [
        ({"landmark": None}, "landmark", "is 0:00:00, must be more than 0 and at most 3,650 days"),
        ({"landmark": "4000d"}, "landmark", "is 4000 days, 0:00:00, must be more than 0 and at most 3,650 days"),
        ({"horizon": "0s"}, "horizon", "is 0:00:00, must be more than 0 and at most 3,650 days"),
        ({"steps": []}, "steps", "has 0, must have 1 to 100"),
        ({"lead_count": 1001}, "lead_count", "is 1,001, must be the sum of the steps', 1,000"),
        (with_step(1, minimum_score=5), "steps[1].minimum_score", "is 5, must be above 5"),
        (
            with_step(2, minimum_score=10_001),
            "steps[2].minimum_score",
            "is 10001, above the ceiling, 10000: no score can reach it",
        ),
        (
            with_step(1, probability=0.02, low=0.01),
            "steps[1].probability",
            "is 0.02, below 0.03: a higher score must not have a lower probability",
        ),
        (with_step(2, probability=1.1), "steps[2].probability", "is 1.1, must be 0 to 1"),
        (with_step(1, low=0.3), "steps[1].low", "is 0.3, must be 0 to the probability, 0.2"),
        (with_step(1, low=-0.1), "steps[1].low", "is -0.1, must be 0 to the probability, 0.2"),
        (with_step(1, high=0.1), "steps[1].high", "is 0.1, must be the probability, 0.2, to 1"),
        (with_step(2, high=1.5), "steps[2].high", "is 1.5, must be the probability, 1, to 1"),
        (with_step(0, lead_count=0), "steps[0].lead_count", "is 0, must be 1 to 1,000,000,000,000"),
    ],
)
def test_a_mistake_is_reported_with_its_path(content: dict[str, Any], path: str, message: str) -> None:
    assert flaws(content)[f"calibration.{path}"] == message


def test_there_are_at_most_100_steps() -> None:
    step = {"probability": 0.5, "low": 0.4, "high": 0.6, "lead_count": 1}
    steps = [step | {"minimum_score": score} for score in range(101)]
    assert flaws({"steps": steps, "lead_count": 101}) == {"calibration.steps": "has 101, must have 1 to 100"}


def test_probabilities_that_are_not_numbers_are_refused() -> None:
    nothing = float("nan")
    calibration = replace(CALIBRATION, steps=(CalibrationStep(0, nothing, nothing, nothing, 1000),))
    with pytest.raises(InvalidModel) as caught:
        check_model(replace(BUILT_IN, calibration=calibration))
    assert [field for field, _ in caught.value.violations] == [
        f"calibration.steps[0].{each}" for each in ("probability", "low", "high")
    ]


@given(LEADS)
def test_the_brier_score_is_the_mean_squared_error(leads: list[tuple[int, bool]]) -> None:
    expected = fmean((CALIBRATION.at(score).probability - converts) ** 2 for score, converts in leads)
    assert reliability(leads).brier_score == pytest.approx(expected)


@given(LEADS)
def test_bins_hold_all_leads_and_give_the_calibration_error(leads: list[tuple[int, bool]]) -> None:
    found = reliability(leads)
    assert sum(each.leads for each in found.bins) == len(leads)
    assert sum(each.converted for each in found.bins) == sum(converts for _, converts in leads)
    gaps = sum(each.leads * abs(each.mean_probability - each.rate) for each in found.bins)
    assert found.calibration_error == pytest.approx(gaps / len(leads))


def test_probabilities_that_come_true_have_no_calibration_error() -> None:
    found = reliability([(30, True), *[(40, False)] * 4])
    assert found.calibration_error == pytest.approx(0)
    assert found.brier_score == pytest.approx(0.2 * 0.8)
    [only] = found.bins
    assert only.mean_probability == pytest.approx(0.2)
    assert (only.leads, only.converted, only.rate) == (5, 1, 0.2)


def test_a_probability_of_1_falls_in_the_last_bin() -> None:
    assert [each.mean_probability for each in reliability([(70, False), (0, False)]).bins] == [0.03, 1.0]


def test_without_leads_there_is_nothing_to_judge() -> None:
    assert reliability_of(CALIBRATION, {}, {}) is None
