"""Comparisons of values of different types are found, counted and reported."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from leadscore.scoring.v1 import scoring_pb2 as pb

from scoring_service import model_codec
from scoring_service.domain.fit import Fit, FitRule
from scoring_service.domain.model import Event, Rule, ScoringModel
from scoring_service.domain.type_mismatches import Mismatch, TypeCheck
from shared.conditions import Condition, Operator
from tests.scoring.conftest import NOW, Scoring, days_ago
from tests.scoring.models import BUILT_IN
from tests.scoring.requests import Stub

BIG = Mismatch("rules[0].conditions[0]", "big", "amount", "number", "text")
DUTCH = Mismatch("fit.rules[0].conditions[0]", "dutch", "country", "text", "number")


def model_of(*conditions: Condition, fit: tuple[Condition, ...] = ()) -> ScoringModel:
    """Returns a model with a rule for purchases."""
    rules = (Rule("big", ("purchase",), 50, conditions), Rule("any", ("purchase", "signup"), 5))
    return replace(BUILT_IN, rules=rules, fit=Fit((FitRule("dutch", 30, fit),), 30, 20, 10, 60, 31) if fit else None)


def types_found(condition: Condition, properties: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = TypeCheck(model_of(condition)).in_event(Event("e1", "purchase", NOW, properties))
    return [(each.expected_type, each.found_type) for each in found]


@pytest.mark.parametrize(
    ("operator", "operand", "value", "types"),
    [
        (Operator.AT_LEAST, 100, "250", ("number", "text")),
        (Operator.LESS_THAN, 100, "", ("number", "text")),
        (Operator.GREATER_THAN, 1, True, ("number", "bool")),
        (Operator.EQUALS, 3, "3", ("number", "text")),
        (Operator.EQUALS, "3", 3.0, ("text", "number")),
        (Operator.EQUALS, True, "true", ("bool", "text")),
        (Operator.IN, (1, 2), "1", ("number", "text")),
        (Operator.IN, ("1", True), 1.0, ("bool or text", "number")),
        (Operator.STARTS_WITH, "+49", 491701.0, ("text", "number")),
        (Operator.CONTAINS, "5", 5.0, ("text", "number")),
    ],
)
def test_a_value_of_another_type_is_a_mismatch(
    operator: Operator, operand: object, value: object, types: tuple[str, str]
) -> None:
    assert types_found(Condition("amount", operator, operand), {"amount": value}) == [types]
    assert types_found(Condition("cart.amount", operator, operand), {"cart": {"amount": value}}) == [types]


@pytest.mark.parametrize(
    ("operator", "operand", "value"),
    [
        (Operator.AT_LEAST, 100, 5.0),
        (Operator.AT_LEAST, 100, None),
        (Operator.EQUALS, "a", "b"),
        (Operator.IN, (1, "1"), "2"),
        (Operator.IN, (1, "1"), 2.0),
        (Operator.CONTAINS, 5, [1.0, "5"]),
        (Operator.EXISTS, True, 5.0),
        (Operator.EQUALS, "a", {"b": 1.0}),
    ],
)
def test_other_values_that_do_not_match_are_none(operator: Operator, operand: object, value: object) -> None:
    assert types_found(Condition("amount", operator, operand), {"amount": value}) == []
    assert types_found(Condition("amount", operator, operand), {}) == []


def test_only_events_of_the_types_of_the_rule_are_compared() -> None:
    check = TypeCheck(model_of(Condition("amount", Operator.AT_LEAST, 100)))
    assert check.in_event(Event("e1", "signup", NOW, {"amount": "250"})) == []
    assert check.in_event(Event("e1", "purchase", NOW, {"amount": "250"})) == [BIG]


MODEL = model_of(Condition("amount", Operator.AT_LEAST, 100), fit=(Condition("country", Operator.EQUALS, "NL"),))


async def seed(scoring: Scoring) -> None:
    for number, amount in enumerate(["250", "90", 120.0, None, "1000"]):
        await scoring.put((f"p{number}", f"lead{number}", "purchase", days_ago(number)), amount=amount)
    await scoring.put(("i0", "lead0", "identify", days_ago(1)), country=528.0)
    await scoring.put(("i1", "lead1", "identify", days_ago(1)), country="NL")
    await scoring.drain_all()


async def test_a_simulation_counts_mismatches_in_all_events_and_leads(scoring: Scoring) -> None:
    await seed(scoring)
    summary = [each.summary async for each in scoring.simulate.run(MODEL, None)][-1]
    assert summary is not None
    assert summary.type_mismatches == ((BIG, 3), (DUTCH, 1))


async def test_a_validation_counts_mismatches_in_a_sample(scoring: Scoring, stub: Stub) -> None:
    await seed(scoring)
    request = pb.CreateScoringModelRequest(scoring_model=model_codec.write_model(MODEL), validate_only=True)
    found = (await stub.CreateScoringModel(request)).type_mismatches
    assert [(each.field, each.expected_type, each.found_type, each.count) for each in found] == [
        (BIG.field, "number", "text", 3),
        (DUTCH.field, "text", "number", 1),
    ]
    request.validate_only = False
    assert not (await stub.CreateScoringModel(request)).type_mismatches, "expected a draft to be stored without a check"
