"""Which rules are refused, and which conditions hold."""

from dataclasses import replace

import pytest

from automation_service.domain.condition import AttributeCondition, Conditions
from automation_service.domain.lead import Facts, Risk
from automation_service.domain.limits import InvalidRule
from automation_service.domain.rule import Draft, Per, check_rule, check_stages
from automation_service.domain.trigger import (
    Direction,
    EventReceived,
    Inactive,
    ScoreCrossed,
    StageEntered,
    StageLeft,
)
from shared.conditions import Operator
from tests.automation.fakes import draft

HOT = Conditions(stages=("hot",))
COUNTRY = AttributeCondition("country", Operator.EXISTS)
_ATTRIBUTE = "conditions.attributes[0].attribute"


def _with(operator: Operator, *values: str | float | bool) -> Draft:
    return draft(conditions=Conditions(attributes=(AttributeCondition("seats", operator, values),)))


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (draft(""), "rule_id"),
        (draft("a" * 257), "rule_id"),
        (draft("a\0"), "rule_id"),
        (replace(draft(), display_name="a" * 257), "display_name"),
        (replace(draft(), display_name="\0"), "display_name"),
        (replace(draft(), conditions=Conditions()), "conditions"),
        (draft(conditions=Conditions(stages=("hot", "warm", "hot"))), "conditions.stages[0]"),
        (draft(conditions=Conditions(minimum_velocity=-1)), "conditions.minimum_velocity"),
        (draft(conditions=Conditions(maximum_velocity=-1)), "conditions.maximum_velocity"),
        (draft(conditions=Conditions(next_actions=("a", "a"))), "conditions.next_actions[0]"),
        (_with(Operator.EQUALS), "conditions.attributes[0].values"),
        (_with(Operator.EXISTS, "a"), "conditions.attributes[0].values[0]"),
        (_with(Operator.IN, *"a" * 101), "conditions.attributes[0].values"),
        (_with(Operator.AT_LEAST, "a"), "conditions.attributes[0].values[0]"),
        (_with(Operator.AT_LEAST, True), "conditions.attributes[0].values[0]"),
        (_with(Operator.IN, 1.0, float("nan")), "conditions.attributes[0].values[1]"),
        (_with(Operator.STARTS_WITH, 1.0), "conditions.attributes[0].values[0]"),
        (_with(Operator.CONTAINS, "a" * 4097), "conditions.attributes[0].values[0]"),
        (draft(conditions=Conditions(attributes=(AttributeCondition("", Operator.EXISTS),))), _ATTRIBUTE),
        (draft(conditions=Conditions(attributes=(COUNTRY,) * 21)), "conditions.attributes"),
        (replace(draft(), cool_down_days=366), "cool_down_days"),
        (replace(draft(), cool_down_days=-1), "cool_down_days"),
        (replace(draft(), per=Per.EVENT, cool_down_days=1), "cool_down_days"),
        (replace(draft(), per=Per.EVENT, trigger=Inactive(3)), "per"),
        (replace(draft(), trigger=StageEntered(())), "trigger.stage_entered.stages"),
        (replace(draft(), trigger=StageLeft(("hot", "hot"))), "trigger.stage_left.stages[0]"),
        (replace(draft(), trigger=EventReceived("")), "trigger.event_received.event_type"),
        (replace(draft(), trigger=Inactive(0)), "trigger.inactive.days"),
    ],
)
def test_a_rule_that_breaks_a_limit_is_refused_with_the_field(rule: Draft, field: str) -> None:
    with pytest.raises(InvalidRule) as caught:
        check_rule(rule)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "rule",
    [
        draft("a" * 256),
        replace(draft(), display_name=""),
        draft(conditions=Conditions(minimum_score=0)),
        draft(conditions=Conditions(minimum_score=-50)),
        draft(conditions=Conditions(minimum_velocity=0)),
        draft(conditions=Conditions(risk=Risk.HIGH)),
        _with(Operator.IN, "a", 1.0, False),
        replace(draft(), trigger=ScoreCrossed(60, Direction.UPWARD), conditions=Conditions()),
        replace(draft(), cool_down_days=365),
    ],
)
def test_a_rule_within_the_limits_is_taken(rule: Draft) -> None:
    check_rule(rule)


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (draft(conditions=Conditions(stages=("hot", "tepid"))), "conditions.stages[1]"),
        (replace(draft(), trigger=StageEntered(("tepid",))), "trigger.stage_entered.stages[0]"),
        (replace(draft(), trigger=StageLeft(("hot", "tepid"))), "trigger.stage_left.stages[1]"),
    ],
)
def test_a_stage_that_the_model_does_not_have_is_refused(rule: Draft, field: str) -> None:
    check_stages(draft(), ["cold", "hot"])
    with pytest.raises(InvalidRule) as caught:
        check_stages(rule, ["cold", "hot"])
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("conditions", "can_hold", "hold"),
    [
        (HOT, True, True),
        (Conditions(stages=("cold", "hot")), True, True),
        (Conditions(stages=("cold",)), False, False),
        (Conditions(minimum_score=40), True, True),
        (Conditions(minimum_score=41), False, False),
        (Conditions(maximum_score=40), True, True),
        (Conditions(maximum_score=39), False, False),
        (Conditions(minimum_velocity=9), True, True),
        (Conditions(minimum_velocity=10), True, False),
        (Conditions(maximum_velocity=9), True, True),
        (Conditions(maximum_velocity=8), True, False),
        (Conditions(risk=Risk.LOW), True, True),
        (Conditions(risk=Risk.HIGH), True, False),
        (Conditions(next_actions=("monitor", "schedule_demo")), True, True),
        (Conditions(next_actions=("monitor",)), True, False),
        (Conditions(("hot",), 40, 9, Risk.LOW), True, True),
        (Conditions(("hot",), 41, 9, Risk.LOW), False, False),
        (Conditions(("hot",), 40, 9, Risk.HIGH), True, False),
    ],
)
def test_conditions_hold_when_all_that_is_asked_holds(conditions: Conditions, can_hold: bool, hold: bool) -> None:
    assert conditions.can_hold("hot", 40) is can_hold
    assert conditions.hold(Facts("hot", 40, 9, Risk.LOW, "schedule_demo", {})) is hold


ATTRIBUTES = {"country": "Germany", "seats": 250.0, "trial": True, "tags": ["a", 1.0], "gone": None, "more": {"a": 1}}


@pytest.mark.parametrize(
    ("attribute", "operator", "values", "holds"),
    [
        ("country", Operator.EQUALS, ("Germany",), True),
        ("country", Operator.EQUALS, ("germany",), False),
        ("seats", Operator.EQUALS, (250,), True),
        ("seats", Operator.EQUALS, ("250",), False),
        ("trial", Operator.EQUALS, (True,), True),
        ("trial", Operator.EQUALS, (1.0,), False),
        ("country", Operator.IN, ("France", "Germany"), True),
        ("country", Operator.IN, ("France",), False),
        ("country", Operator.CONTAINS, ("erm",), True),
        ("country", Operator.CONTAINS, (1.0,), False),
        ("tags", Operator.CONTAINS, ("a",), True),
        ("tags", Operator.CONTAINS, (True,), False),
        ("seats", Operator.CONTAINS, ("2",), False),
        ("country", Operator.STARTS_WITH, ("Ger",), True),
        ("country", Operator.STARTS_WITH, ("er",), False),
        ("seats", Operator.STARTS_WITH, ("2",), False),
        ("trial", Operator.EXISTS, (), True),
        ("gone", Operator.EXISTS, (), False),
        ("gone", Operator.EXISTS, (False,), True),
        ("trial", Operator.EXISTS, (False,), False),
        ("nothing", Operator.EXISTS, (), False),
        ("nothing", Operator.EQUALS, ("",), False),
        ("seats", Operator.LESS_THAN, (250,), False),
        ("seats", Operator.AT_MOST, (250,), True),
        ("seats", Operator.GREATER_THAN, (249.5,), True),
        ("seats", Operator.AT_LEAST, (250.5,), False),
        ("trial", Operator.AT_LEAST, (0,), False),
        ("country", Operator.AT_LEAST, (0,), False),
        ("more", Operator.CONTAINS, ("a",), False),
    ],
)
def test_an_attribute_is_compared_by_its_operator(
    attribute: str, operator: Operator, values: tuple[str | float | bool, ...], holds: bool
) -> None:
    assert AttributeCondition(attribute, operator, values).holds(ATTRIBUTES) is holds
