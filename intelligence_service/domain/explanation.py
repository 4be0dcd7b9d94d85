"""Explains why a threshold fired: one sentence with the numbers that were compared."""

from dataclasses import dataclass
from datetime import timedelta

from intelligence_service.domain.model import Model, NextAction, Risk

_UNITS = ((86_400_000, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"), (1, "millisecond"))


@dataclass(frozen=True, slots=True)
class FiredThreshold:
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
        return FiredThreshold("risk", risk, "there is no event that was not retracted")
    last = f"{span(inactivity)} ago" if inactivity >= timedelta() else f"{span(-inactivity)} ahead"
    bound = "more than" if risk is Risk.HIGH else "not more than"
    return FiredThreshold("risk", risk, f"the last event is {last}, {bound} {span(model.idle)} ago")


def of_churn(stage: str) -> FiredThreshold:
    """Explains why a lead is churned."""
    return FiredThreshold("churn", "churned", f"stage {stage} is worth much, but velocity is 0 and risk is high")


def of_next_action(row: NextAction, stage: str, velocity: int) -> FiredThreshold:
    """Explains a next action by the conditions of its row."""
    conditions = [f"stage is {stage}"] if row.stages else []
    conditions += [f"velocity {velocity} is at least {row.minimum_velocity}"] if row.minimum_velocity else []
    conditions += [f"risk is {row.risk}"] if row.risk else []
    explanation = f"first row that holds: {', '.join(conditions)}" if conditions else "no other row holds"
    return FiredThreshold("next_action", row.next_action, explanation)


def span(time: timedelta) -> str:
    """Formats a non-negative duration in its two largest units, such as `7 days 3 hours`."""
    left, parts = time // timedelta(milliseconds=1), []
    for size, unit in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(_count(count, unit))
    return " ".join(parts[:2]) or "0 seconds"


def _count(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
