"""Which rules are refused, and which conditions hold."""

from dataclasses import replace

import pytest

from automation_service.domain.rule import Conditions, Draft, InvalidRule, Risk, check_rule, check_stages
from tests.automation.fakes import draft

HOT = Conditions(stages=("hot",))


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
    ],
)
def test_a_rule_within_the_limits_is_taken(rule: Draft) -> None:
    check_rule(rule)


def test_a_stage_that_the_model_does_not_have_is_refused() -> None:
    check_stages(HOT, ["cold", "hot"])
    with pytest.raises(InvalidRule) as caught:
        check_stages(Conditions(stages=("hot", "tepid")), ["cold", "hot"])
    assert caught.value.field == "conditions.stages[1]"


@pytest.mark.parametrize(
    ("conditions", "can_hold", "hold"),
    [
        (HOT, True, True),
        (Conditions(stages=("cold", "hot")), True, True),
        (Conditions(stages=("cold",)), False, False),
        (Conditions(minimum_score=40), True, True),
        (Conditions(minimum_score=41), False, False),
        (Conditions(minimum_velocity=9), True, True),
        (Conditions(minimum_velocity=10), True, False),
        (Conditions(risk=Risk.LOW), True, True),
        (Conditions(risk=Risk.HIGH), True, False),
        (Conditions(("hot",), 40, 9, Risk.LOW), True, True),
        (Conditions(("hot",), 41, 9, Risk.LOW), False, False),
        (Conditions(("hot",), 40, 9, Risk.HIGH), True, False),
    ],
)
def test_conditions_hold_when_all_that_is_asked_holds(conditions: Conditions, can_hold: bool, hold: bool) -> None:
    assert conditions.can_hold("hot", 40) is can_hold
    assert conditions.hold("hot", 40, 9, Risk.LOW) is hold
