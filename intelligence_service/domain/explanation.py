"""Explains why a threshold fired: one sentence with the numbers that were compared."""

from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple

from intelligence_service.domain.model import Model, NextAction, Risk

_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
    (timedelta(seconds=1), "second"),
    (timedelta(milliseconds=1), "millisecond"),
)


class FiredThreshold(NamedTuple):
    """A threshold of the model that fired.

    `decided` names the decision, such as `risk`; `outcome` is its result, and `explanation` the reason in one sentence.
    """

    decided: str
    outcome: str
    explanation: str


def of_stage(stage: str, score: int, model: Model) -> FiredThreshold:
    """Explains a stage by the two bounds around the score."""
    own, above = model.stages_around(score)
    bounds = [f"at least {own.minimum_score}"] if own is not model.stages[0] else []
    bounds += [f"below {above.minimum_score}"] if above else []
    return FiredThreshold("stage", stage, f"score {score} is {' and '.join(bounds) or 'in the only stage'}")


def of_velocity(velocity: int, recent_event_count: int, model: Model) -> FiredThreshold:
    """Explains a velocity by its formula."""
    events = _count(recent_event_count, "event")
    explanation = f"{model.velocity_weight} × {events} within {span(model.velocity_window)} = {velocity}"
    return FiredThreshold("velocity", str(velocity), explanation)


def of_risk(risk: Risk, inactivity: timedelta | None, model: Model) -> FiredThreshold:
    """Explains a risk by the time since the last event; it is negative when that event lies in the future."""
    if inactivity is None:
        return FiredThreshold("risk", risk, "all events have been retracted")
    if inactivity < timedelta():
        return FiredThreshold("risk", risk, f"the last event is {span(_rough(-inactivity))} in the future")
    bound = "more than" if risk is Risk.HIGH else "not more than"
    last = _rough(inactivity)
    # Just beyond the bound, a rough duration would contradict the outcome.
    exact = inactivity if risk is Risk.HIGH and last <= model.idle else last
    return FiredThreshold("risk", risk, f"the last event was {span(exact)} ago, {bound} {span(model.idle)} ago")


def of_churn(stage: str) -> FiredThreshold:
    """Explains why a lead is churned."""
    return FiredThreshold("churn", "churned", f"stage is {stage}, velocity is 0 and risk is high")


def of_next_action(row: NextAction, stage: str, velocity: int) -> FiredThreshold:
    """Explains a next action by the conditions of its row."""
    conditions = [f"stage is {stage}"] if row.stages else []
    conditions += [f"velocity {velocity} is at least {row.minimum_velocity}"] if row.minimum_velocity else []
    conditions += [f"risk is {row.risk}"] if row.risk else []
    explanation = f"first row that holds: {', '.join(conditions)}" if conditions else "no other row holds"
    return FiredThreshold("next_action", row.next_action, explanation)


@lru_cache(maxsize=1_000)  # most are thresholds, or rounded: the same ones over and over
def span(time: timedelta) -> str:
    """Formats a non-negative duration to the millisecond, such as `7 days 3 hours`."""
    parts = []
    for size, unit in _UNITS:
        count, time = divmod(time, size)
        if count:
            parts.append(_count(count, unit))
    return " ".join(parts) or "0 seconds"


def _rough(time: timedelta) -> timedelta:
    """Rounds a non-negative duration down to a multiple of the unit below its largest, but not below a second."""
    sizes = [size for size, _ in _UNITS[:-1]]
    finer = [size for size in sizes if size <= time][1:] or sizes[-1:]
    return time - time % finer[0]


def _count(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
