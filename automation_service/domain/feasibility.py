"""Warnings for the author of a rule: under the model in force it can never fire."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from automation_service.domain.condition import AttributeCondition, Conditions
from automation_service.domain.lead import Risk
from automation_service.domain.rule import Draft
from automation_service.domain.trigger import Direction, Inactive, ScoreCrossed, StageEntered, StageLeft, in_days
from shared.conditions import Operator


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: scores from `minimum_score` up to the next stage's minimum."""

    stage: str
    minimum_score: int


@dataclass(frozen=True, slots=True)
class NextAction:
    """A row of the model's table of next actions. Empty stages match any stage, and None any risk."""

    next_action: str
    stages: tuple[str, ...]
    minimum_velocity: int
    risk: Risk | None


@dataclass(frozen=True, slots=True)
class Model:
    """The parts of the scoring model that a rule can contradict. Stages are in ascending order."""

    stages: tuple[Stage, ...]
    score_floor: int
    score_ceiling: int
    next_actions: tuple[NextAction, ...]
    idle: timedelta

    @property
    def stage_names(self) -> tuple[str, ...]:
        """The names of the stages, in ascending order."""
        return tuple(each.stage for each in self.stages)

    def scores_of(self, stage: str) -> tuple[int, int]:
        """Returns the lowest and the highest score of a stage."""
        index = self.stage_names.index(stage)
        last = index + 1 == len(self.stages)
        return self.stages[index].minimum_score, (
            self.score_ceiling if last else self.stages[index + 1].minimum_score - 1
        )


def warnings(draft: Draft, model: Model) -> list[str]:
    """Returns one sentence for each reason why a rule can never fire, or rarely fires."""
    conditions = draft.conditions
    return [
        *_of_scores(conditions, model),
        *_of_velocity(conditions),
        *_of_next_actions(conditions, model),
        *_of_attributes(conditions),
        *_of_trigger(draft, model),
    ]


def _of_scores(conditions: Conditions, model: Model) -> Iterator[str]:
    low = model.score_floor if conditions.minimum_score is None else conditions.minimum_score
    high = model.score_ceiling if conditions.maximum_score is None else conditions.maximum_score
    if low > high:
        yield f"conditions: a score cannot be both at least {low} and at most {high}, so the rule can never fire"
    elif low > model.score_ceiling or high < model.score_floor:
        yield f"conditions: scores are {model.score_floor} to {model.score_ceiling}, so the rule can never fire"
    elif conditions.stages and not any(
        model.scores_of(stage)[0] <= high and low <= model.scores_of(stage)[1]
        for stage in conditions.stages
        if stage in model.stage_names
    ):
        stages = " or ".join(conditions.stages)
        yield f"conditions: no score between {low} and {high} is in stage {stages}, so the rule can never fire"


def _of_velocity(conditions: Conditions) -> Iterator[str]:
    low, high = conditions.minimum_velocity, conditions.maximum_velocity
    if low is not None and high is not None and low > high:
        yield f"conditions: a velocity cannot be both at least {low} and at most {high}, so the rule can never fire"


def _of_next_actions(conditions: Conditions, model: Model) -> Iterator[str]:
    def possible(row: NextAction) -> bool:
        return (
            row.next_action in conditions.next_actions
            and not (row.stages and conditions.stages and not set(row.stages) & set(conditions.stages))
            and not (row.risk and conditions.risk and row.risk != conditions.risk)
            and not (conditions.maximum_velocity is not None and row.minimum_velocity > conditions.maximum_velocity)
        )

    if conditions.next_actions and not any(map(possible, model.next_actions)):
        names = " or ".join(conditions.next_actions)
        yield f"conditions: with the other conditions, the next action is never {names}, so the rule can never fire"


def _of_attributes(conditions: Conditions) -> Iterator[str]:
    for one, other in combinations(conditions.attributes, 2):
        if one.attribute == other.attribute and (_excludes(one, other) or _excludes(other, one)):
            yield f"conditions: '{one}' and '{other}' exclude each other, so the rule can never fire"


def _excludes(one: AttributeCondition, other: AttributeCondition) -> bool:
    if one.operator in (Operator.EQUALS, Operator.IN) and not one.ignore_case:
        return not any(other.holds({other.attribute: value}) for value in one.values)
    if one.operator not in (Operator.LESS_THAN, Operator.AT_MOST):
        return False
    if other.operator not in (Operator.GREATER_THAN, Operator.AT_LEAST):
        return False
    high, low = one.values[0], other.values[0]
    both = one.operator is Operator.AT_MOST and other.operator is Operator.AT_LEAST
    return isinstance(high, int | float) and isinstance(low, int | float) and (high < low or (high == low and not both))


def _of_trigger(draft: Draft, model: Model) -> Iterator[str]:
    conditions = draft.conditions
    match draft.trigger:
        case ScoreCrossed(threshold, direction):
            if not model.score_floor < threshold <= model.score_ceiling:
                yield f"trigger: no score crosses {threshold}, so the rule can never fire"
            elif (
                direction is Direction.UPWARD
                and (highest := conditions.maximum_score) is not None
                and highest < threshold
            ):
                yield f"conditions: a score that has crossed {threshold} upward is rarely at most {highest}"
        case StageEntered(stages) if conditions.stages and not set(stages) & set(conditions.stages):
            named, entered = " or ".join(conditions.stages), " or ".join(stages)
            yield f"conditions: a lead that has entered {entered} is rarely in {named}"
        case StageLeft(stages) if conditions.stages and set(conditions.stages) <= set(stages) and len(stages) == 1:
            yield f"conditions: a lead that has left {stages[0]} is rarely in it"
        case Inactive(days):
            if conditions.risk is Risk.LOW and timedelta(days=days) > model.idle:
                idle = in_days(model.idle.days)
                yield f"conditions: after {idle} without an event the risk is high, so the rule can never fire"
