"""A rule that can never fire, or only late, causes a warning."""

from dataclasses import replace

import pytest

from automation_service.domain.condition import AttributeCondition, Conditions
from automation_service.domain.feasibility import warnings
from automation_service.domain.lead import Risk
from automation_service.domain.rule import Draft
from automation_service.domain.trigger import Direction, Inactive, ScoreCrossed, StageEntered, StageLeft, Trigger
from shared.conditions import Operator
from tests.automation.fakes import MODEL, draft


def attributes(*asked: tuple[Operator, float | str]) -> Draft:
    return draft(
        conditions=Conditions(attributes=tuple(AttributeCondition("a", each, (value,)) for each, value in asked))
    )


def triggered(trigger: Trigger, conditions: Conditions | None = None) -> Draft:
    return replace(draft(conditions=conditions or Conditions(minimum_score=1)), trigger=trigger)


@pytest.mark.parametrize(
    "rule",
    [
        draft(conditions=Conditions(minimum_score=20_000)),
        draft(conditions=Conditions(maximum_score=-1)),
        draft(conditions=Conditions(minimum_score=50, maximum_score=40)),
        draft(conditions=Conditions(stages=("cold",), minimum_score=40)),
        draft(conditions=Conditions(stages=("hot",), maximum_score=30)),
        draft(conditions=Conditions(minimum_velocity=9, maximum_velocity=3)),
        draft(conditions=Conditions(next_actions=("sing",))),
        draft(conditions=Conditions(stages=("cold",), next_actions=("schedule_demo",))),
        draft(conditions=Conditions(risk=Risk.HIGH, next_actions=("schedule_demo",))),
        attributes((Operator.EQUALS, "x"), (Operator.EQUALS, "y")),
        attributes((Operator.LESS_THAN, 5), (Operator.AT_LEAST, 5)),
        attributes((Operator.EQUALS, 5), (Operator.GREATER_THAN, 5)),
        triggered(ScoreCrossed(0, Direction.UPWARD)),
        triggered(ScoreCrossed(10_001, Direction.UPWARD)),
        triggered(ScoreCrossed(50, Direction.UPWARD), Conditions(maximum_score=40)),
        triggered(StageEntered(("hot",)), Conditions(stages=("cold",))),
        triggered(StageLeft(("hot",)), Conditions(stages=("hot",))),
        triggered(Inactive(30), Conditions(risk=Risk.LOW)),
    ],
)
def test_a_rule_that_can_never_fire_has_a_warning(rule: Draft) -> None:
    assert len(warnings(rule, MODEL)) == 1


@pytest.mark.parametrize(
    "rule",
    [
        draft(),
        draft(conditions=Conditions(("hot",), 31, 9, Risk.LOW, 59, 12, ("prioritize_contact", "monitor"))),
        attributes((Operator.AT_LEAST, 5), (Operator.AT_MOST, 5)),
        attributes((Operator.CONTAINS, "x"), (Operator.EQUALS, "xy")),
        triggered(ScoreCrossed(60, Direction.DOWNWARD)),
        triggered(StageLeft(("hot", "qualified")), Conditions(stages=("hot",))),
        triggered(Inactive(3)),
        draft(conditions=Conditions(stages=("tepid",))),
    ],
)
def test_a_rule_that_can_fire_has_no_warning(rule: Draft) -> None:
    assert not [each for each in warnings(rule, MODEL) if "tepid" not in each]
