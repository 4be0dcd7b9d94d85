"""Derives velocity, risk, churn and the next action from the facts about a lead."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from intelligence_service.domain import explanation
from intelligence_service.domain.explanation import FiredThreshold
from intelligence_service.domain.model import Model, NextAction, Risk

TOP_RULES = 5
"""The number of rules that an insight names."""


class LeadNotFound(Exception):
    """No event of the lead has been scored, or none by the requested time, if there is one."""

    def __init__(self, lead_id: str, as_of_time: datetime | None = None) -> None:
        by = f" by {as_of_time:%Y-%m-%d %H:%M:%S} UTC" if as_of_time else ""
        super().__init__(f"no event of lead {lead_id!r} has been scored{by}")


class Contribution(NamedTuple):
    """The points that a rule gave a lead; `rule_id` is empty for events that match no rule."""

    rule_id: str
    points: int


class Fit(NamedTuple):
    """How well a lead fits.

    `points` come from the fit rules, `grade` is A to D, and `rating` (A1 to D3) combines the grade with the engagement.
    """

    points: int
    grade: str
    rating: str


class ConversionProbability(NamedTuple):
    """How likely a lead with its score converts, with the 95 % confidence interval and the number of leads behind it.

    These leads were looked at `landmark` after their first event, and a conversion counted for the time `horizon` after
    that; if it is None, a conversion counted whenever it came.
    """

    probability: float
    low: float
    high: float
    lead_count: int
    landmark: timedelta
    horizon: timedelta | None


class LeadFacts(NamedTuple):
    """What the scoring service returns about a lead, as of `as_of_time`.

    `recent_event_count` counts the events in the model's velocity window, which ends at `as_of_time`. `last_event_time`
    is None when all events were retracted; `fit` is None when the model has no fit rules, and `conversion_probability`
    when it has no calibration. `attributes` are passed on as they came from the scoring service; no decision depends on
    them.
    """

    lead_id: str
    as_of_time: datetime
    score: int
    stage: str
    event_count: int
    recent_event_count: int
    last_event_time: datetime | None
    contributions: tuple[Contribution, ...]
    attributes: Any
    model_version: int
    fit: Fit | None = None
    conversion_probability: ConversionProbability | None = None

    @property
    def inactivity(self) -> timedelta | None:
        """The time since the last event: negative if that event lies in the future, None if there is no event."""
        return None if self.last_event_time is None else self.as_of_time - self.last_event_time


class Hypothesis(NamedTuple):
    """An event that has not happened; `properties` are passed on as they came."""

    event_type: str
    properties: Any


class ScoreEffect(NamedTuple):
    """What an event would do to the score of a lead, and to what depends on the score.

    `rule_id` is empty if no rule decides the event. `event_types` are its type or, for a rule, all types that it
    matches.
    """

    rule_id: str
    event_types: tuple[str, ...]
    delta: int
    score: int
    stage: str
    fit: Fit | None = None
    conversion_probability: ConversionProbability | None = None


class Verdict(NamedTuple):
    """What the thresholds decide about a lead; `row` is the row of the next-action table that matched."""

    velocity: int
    risk: Risk
    churned: bool
    row: NextAction


class Insight(NamedTuple):
    """A lead's facts, the verdict on them, and its reasons."""

    facts: LeadFacts
    verdict: Verdict
    thresholds: tuple[FiredThreshold, ...]
    top_rules: tuple[Contribution, ...]


class JudgedEffect(NamedTuple):
    """What an event would do to a lead, and the verdict on the lead right after it."""

    effect: ScoreEffect
    verdict: Verdict


def decide(facts: LeadFacts, model: Model) -> Verdict:
    """Applies the thresholds of a model; it must be the version that the facts name."""
    is_idle = facts.inactivity is None or facts.inactivity > model.idle
    return verdict_of(facts.stage, facts.recent_event_count, model, is_idle=is_idle)


def verdict_of(stage: str, recent_event_count: int, model: Model, *, is_idle: bool) -> Verdict:
    """Applies the thresholds of a model to what they depend on."""
    velocity = model.velocity_weight * recent_event_count
    risk = Risk.HIGH if is_idle else Risk.LOW
    return Verdict(
        velocity=velocity,
        risk=risk,
        churned=stage in model.churn_stages and velocity == 0 and risk is Risk.HIGH,
        row=next(row for row in model.next_actions if row.holds(stage, velocity, risk)),
    )


def after_events(effect: ScoreEffect, events: int, facts: LeadFacts, model: Model) -> JudgedEffect:
    """Returns the verdict after a number of events, of which the last one has this effect: the lead is active."""
    verdict = verdict_of(effect.stage, facts.recent_event_count + events, model, is_idle=False)
    return JudgedEffect(effect, verdict)


def judge(facts: LeadFacts, model: Model, *, explain: bool = True) -> Insight:
    """Returns the verdict with its reasons: every threshold that fired, and the rules that gave the most points.

    Without `explain`, it leaves out the thresholds.
    """
    verdict = decide(facts, model)
    thresholds = _explain(facts, verdict, model) if explain else ()
    return Insight(facts, verdict, thresholds, _top_rules(facts.contributions))


def _explain(facts: LeadFacts, verdict: Verdict, model: Model) -> tuple[FiredThreshold, ...]:
    fired = [
        explanation.of_stage(facts.stage, facts.score, model),
        explanation.of_velocity(verdict.velocity, facts.recent_event_count, model),
        explanation.of_risk(verdict.risk, facts.inactivity, model),
    ]
    if verdict.churned:
        fired.append(explanation.of_churn(facts.stage))
    fired.append(explanation.of_next_action(verdict.row, facts.stage, verdict.velocity))
    return tuple(fired)


def _top_rules(contributions: tuple[Contribution, ...]) -> tuple[Contribution, ...]:
    giving = [each for each in contributions if each.points > 0]
    return tuple(sorted(giving, key=lambda each: (-each.points, each.rule_id))[:TOP_RULES])
