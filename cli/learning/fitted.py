"""A scorecard as a model: a file like any other, which people can read, change, simulate and publish."""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np
from leadscore.scoring.v1 import scoring_pb2 as pb

from cli.learning.calibration import steps_of
from cli.learning.facts import Vector
from cli.learning.kinds import Kind
from cli.learning.recency import FOREVER, Recency
from cli.learning.scorecard import FittedRule, Points, Scorecard
from shared import wire
from shared.outcomes import Question

MAX_ID = 64
MAX_POINTS = 1_000_000
GRADES = (0.75, 0.5, 0.25)
"""Shares of the leads below the grades A, B and C."""
LEVELS = (0.8, 0.5)
"""Shares of the leads below the engagement levels 1 and 2."""
DECIMALS = 4
"""Decimals of probabilities."""
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_.-]+")


def fitted_model(scorecard: Scorecard, question: Question, base: pb.ScoringModel, name: str) -> pb.ScoringModel:
    """Returns the model with the rules of a scorecard, and everything else from `base`.

    The stages keep their names. Each one begins at the score that half of the leads in the stage before it reach, by
    the leads of the fit. Floor and ceiling are the lowest and the highest score that the rules can give, so the order
    of events does not matter. There is decay only if the points were fitted with it. If no attribute has a rule, the
    fit rules are those of `base`. The probabilities are those of the leads of the fit, for the question that was asked.
    """
    model = pb.ScoringModel()
    model.CopyFrom(base)
    for field in ("version", "state", "create_time", "rules", "groups", "stages", "decay", "calibration"):
        model.ClearField(field)
    model.display_name = name
    taken = set[str]()
    for fitted in _special_first(scorecard.event_rules):
        model.rules.append(_rule(fitted, _unique(_id_of(fitted.kind), taken)))
    totals = [fitted.points * fitted.limits.times for fitted in scorecard.event_rules]
    model.score_floor = sum(total for total in totals if total < 0)
    model.score_ceiling = max(1, sum(total for total in totals if total > 0))
    names = [stage.stage for stage in base.stages]
    for stage, minimum in zip(names, _minimums(scorecard, model.score_floor, len(names)), strict=True):
        model.stages.add(stage=stage, minimum_score=minimum)
    model.score_ceiling = max(model.score_ceiling, model.stages[-1].minimum_score)
    if scorecard.recency != FOREVER:
        model.decay.CopyFrom(_decay(scorecard.recency))
    if scorecard.attribute_rules:
        model.fit.CopyFrom(_fit(scorecard, taken))
    model.calibration.CopyFrom(_calibration(scorecard, question))
    return model


def _special_first(rules: Sequence[FittedRule]) -> list[FittedRule]:
    """Returns the rules in an order in which the first that matches is the right one: those with conditions first."""
    return sorted(rules, key=lambda fitted: not fitted.kind.prop)


def _rule(fitted: FittedRule, rule_id: str) -> pb.ScoringRule:
    rule = pb.ScoringRule(rule_id=rule_id, event_types=[fitted.kind.event_type], points=fitted.points)
    rule.conditions.extend(_conditions(fitted.kind))
    if fitted.limits.a_day:
        rule.limits.add(max_times=fitted.limits.a_day, period=pb.PERIOD_DAY)
    rule.limits.add(max_times=fitted.limits.times, period=pb.PERIOD_EVER)
    return rule


def _decay(recency: Recency) -> pb.Decay:
    decay = pb.Decay(toward_zero=True)
    decay.grace.FromTimedelta(timedelta(days=recency.grace_days))
    decay.half_life.FromTimedelta(timedelta(days=recency.half_life_days))
    return decay


def _fit(scorecard: Scorecard, taken: set[str]) -> pb.Fit:
    fit = pb.Fit()
    for fitted in scorecard.attribute_rules:
        rule = fit.rules.add(rule_id=_unique(_id_of(fitted.kind), taken), points=fitted.points)
        rule.conditions.extend(_conditions(fitted.kind))
    fit.grade_a_points, fit.grade_b_points, fit.grade_c_points = _falling(scorecard.fits, scorecard.weights, GRADES)
    fit.level_1_score, fit.level_2_score = _falling(scorecard.scores, scorecard.weights, LEVELS)
    return fit


def _calibration(scorecard: Scorecard, question: Question) -> pb.Calibration:
    calibration = pb.Calibration()
    calibration.landmark.FromTimedelta(question.landmarks[0])
    if question.horizon is not None:
        calibration.horizon.FromTimedelta(question.horizon)
    for step in steps_of(scorecard.scores, scorecard.converted, scorecard.weights):
        calibration.steps.add(
            minimum_score=step.minimum_score,
            probability=round(step.probability, DECIMALS),
            low=round(step.low, DECIMALS),
            high=round(step.high, DECIMALS),
            lead_count=step.leads,
        )
        calibration.lead_count += step.leads
    return calibration


def _conditions(kind: Kind) -> Iterator[pb.Condition]:
    if kind.equals is not None:
        yield pb.Condition(property=kind.prop, equals=wire.from_value(kind.equals))
    if kind.word is not None:
        yield pb.Condition(property=kind.prop, contains=kind.word, ignore_case=True)
    if kind.at_least is not None:
        yield pb.Condition(property=kind.prop, at_least=kind.at_least)
    if kind.less_than is not None:
        yield pb.Condition(property=kind.prop, less_than=kind.less_than)


def _id_of(kind: Kind) -> str:
    parts = [kind.event_type, kind.prop, kind.word or ("" if kind.equals is None else str(kind.equals))]
    parts += [f"from-{kind.at_least:g}" if kind.at_least is not None else ""]
    parts += [f"below-{kind.less_than:g}" if kind.less_than is not None else ""]
    found = "-".join(filter(None, (_NOT_IN_IDS.sub("-", part).strip("-_.") for part in parts)))
    return found[:MAX_ID] or "rule"


def _unique(rule_id: str, taken: set[str]) -> str:
    """Returns the id with a number at its end if it is taken, and takes it."""
    found, number = rule_id, 1
    while found in taken:
        number += 1
        suffix = f"-{number}"
        found = f"{rule_id[: MAX_ID - len(suffix)]}{suffix}"
    taken.add(found)
    return found


def _minimums(scorecard: Scorecard, floor: int, stages: int) -> Iterator[int]:
    minimum = floor
    yield minimum
    for number in range(1, stages):
        # Two stages cannot begin at the same score.
        minimum = max(minimum + 1, _quantile(scorecard.scores, scorecard.weights, 1 - 0.5**number))
        yield minimum


def _falling(points: Points, weights: Vector, shares: Sequence[float]) -> list[int]:
    """Returns the quantiles of points, highest first, and each above the next."""
    found = list[int]()
    for share in sorted(shares):
        lowest = _quantile(points, weights, share)
        found.append(max(lowest, found[-1] + 1) if found else lowest)
    return found[::-1]


def _quantile(points: Points, weights: Vector, share: float) -> int:
    """Returns the lowest points that at most 1 - `share` of the leads reach, or else the highest ones."""
    values, places = np.unique(points, return_inverse=True)
    held = np.bincount(places, weights)
    below = (np.cumsum(held) - held) / held.sum()
    return int(values[min(int(np.searchsorted(below, share)), len(values) - 1)])
