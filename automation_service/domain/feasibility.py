"""Which rules can never fire: what a person would want to know who has just written one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

from automation_service.domain.condition import AttributeCondition, Conditions, Operator
from automation_service.domain.lead import Risk
from automation_service.domain.rule import Draft
from automation_service.domain.trigger import Direction, Inactive, ScoreCrossed, StageEntered, StageLeft


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: scores from `minimum_score` up to the next stage's minimum."""

    stage: str
    minimum_score: int


@dataclass(frozen=True, slots=True)
class NextAction:
    """A row of the model's table: no stages stand for any, no risk for any."""

    next_action: str
    stages: tuple[str, ...]
    minimum_velocity: int
    risk: Risk | None


@dataclass(frozen=True, slots=True)
class Model:
    """What the scoring model in force says, as far as rules can contradict it; stages ascend."""

    stages: tuple[Stage, ...]
    score_floor: int
    score_ceiling: int
    next_actions: tuple[NextAction, ...]
    grace: timedelta
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
    """Returns a sentence for each thing that keeps a rule from ever firing, and for each that makes it late."""
    asked = draft.conditions
    return [
        *_of_scores(asked, model),
        *_of_velocity(asked),
        *_of_next_actions(asked, model),
        *_of_attributes(asked),
        *_of_trigger(draft, model),
    ]


def _of_scores(asked: Conditions, model: Model) -> Iterator[str]:
    low = model.score_floor if asked.minimum_score is None else asked.minimum_score
    high = model.score_ceiling if asked.maximum_score is None else asked.maximum_score
    if low > high:
        yield f"conditions: no score is at least {low} and at most {high}: the rule can never fire"
    elif low > model.score_ceiling or high < model.score_floor:
        yield f"conditions: all scores are {model.score_floor} to {model.score_ceiling}: the rule can never fire"
    elif asked.stages and not any(
        model.scores_of(stage)[0] <= high and low <= model.scores_of(stage)[1]
        for stage in asked.stages
        if stage in model.stage_names
    ):
        yield f"conditions: no score of stage {' or '.join(asked.stages)} is {low} to {high}: the rule can never fire"


def _of_velocity(asked: Conditions) -> Iterator[str]:
    low, high = asked.minimum_velocity, asked.maximum_velocity
    if low is not None and high is not None and low > high:
        yield f"conditions: no velocity is at least {low} and at most {high}: the rule can never fire"


def _of_next_actions(asked: Conditions, model: Model) -> Iterator[str]:
    def possible(row: NextAction) -> bool:
        return (
            row.next_action in asked.next_actions
            and not (row.stages and asked.stages and not set(row.stages) & set(asked.stages))
            and not (row.risk and asked.risk and row.risk != asked.risk)
            and not (asked.maximum_velocity is not None and row.minimum_velocity > asked.maximum_velocity)
        )

    if asked.next_actions and not any(map(possible, model.next_actions)):
        names = " or ".join(asked.next_actions)
        yield f"conditions: the model never advises {names} under the other conditions: the rule can never fire"


def _of_attributes(asked: Conditions) -> Iterator[str]:
    for one, other in combinations(asked.attributes, 2):
        if one.attribute == other.attribute and (_excludes(one, other) or _excludes(other, one)):
            yield f"conditions: {one} and {other} exclude each other: the rule can never fire"


def _excludes(one: AttributeCondition, other: AttributeCondition) -> bool:
    if one.operator in (Operator.EQUALS, Operator.IN):
        return not any(other.holds({other.attribute: value}) for value in one.values)
    if one.operator not in (Operator.LESS_THAN, Operator.AT_MOST):
        return False
    if other.operator not in (Operator.GREATER_THAN, Operator.AT_LEAST):
        return False
    high, low = one.values[0], other.values[0]
    both = one.operator is Operator.AT_MOST and other.operator is Operator.AT_LEAST
    return isinstance(high, int | float) and isinstance(low, int | float) and (high < low or (high == low and not both))


def _of_trigger(draft: Draft, model: Model) -> Iterator[str]:
    asked = draft.conditions
    match draft.trigger:
        case ScoreCrossed(threshold, direction):
            if not model.score_floor < threshold <= model.score_ceiling:
                yield f"trigger: no score crosses {threshold}: the rule can never fire"
            elif direction is Direction.UPWARD and asked.maximum_score is not None and asked.maximum_score < threshold:
                yield f"conditions: after crossing {threshold} upward a score is seldom at most {asked.maximum_score}"
        case StageEntered(stages) if asked.stages and not set(stages) & set(asked.stages):
            yield f"conditions: after entering {' or '.join(stages)} a lead is seldom in {' or '.join(asked.stages)}"
        case StageLeft(stages) if asked.stages and set(asked.stages) <= set(stages) and len(stages) == 1:
            yield f"conditions: after leaving {stages[0]} a lead is seldom in it"
        case Inactive(days):
            if timedelta(days=days) < model.grace:
                yield f"trigger: decay finds a silent lead after {model.grace.days} days, so later than asked"
            if asked.risk is Risk.LOW and max(timedelta(days=days), model.grace) > model.idle:
                yield f"conditions: after {model.idle.days} days of silence the risk is high: the rule can never fire"
