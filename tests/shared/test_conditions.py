"""Each operator, on values of each kind."""

from typing import Any

import pytest

from shared.conditions import Condition, Operator, all_of

VALUES: dict[str, Any] = {
    "plan": "Pro Plus",
    "pages": 3.0,
    "trial": True,
    "tags": ["a", "B", 1.0],
    "none": None,
    "company": {"size": 250.0, "hq.city": "Delft"},
    "company.size": 9.0,
}


@pytest.mark.parametrize(
    ("name", "operator", "operand", "expected"),
    [
        ("plan", Operator.EQUALS, "Pro Plus", True),
        ("plan", Operator.EQUALS, "pro plus", False),
        ("pages", Operator.EQUALS, 3, True),
        ("pages", Operator.EQUALS, "3", False),
        ("trial", Operator.EQUALS, True, True),
        ("trial", Operator.EQUALS, 1, False),
        ("pages", Operator.EQUALS, True, False),
        ("plan", Operator.IN, ("Free", "Pro Plus"), True),
        ("plan", Operator.IN, ("Free", 3), False),
        ("pages", Operator.IN, ("Free", 3.0), True),
        ("none", Operator.IN, ("Free", 3.0), False),
        ("tags", Operator.IN, ("a",), False),
        ("plan", Operator.CONTAINS, "ro P", True),
        ("plan", Operator.CONTAINS, "plus", False),
        ("tags", Operator.CONTAINS, "a", True),
        ("tags", Operator.CONTAINS, "b", False),
        ("pages", Operator.CONTAINS, "3", False),
        ("plan", Operator.STARTS_WITH, "Pro", True),
        ("plan", Operator.STARTS_WITH, "Plus", False),
        ("pages", Operator.STARTS_WITH, "3", False),
        ("plan", Operator.EXISTS, True, True),
        ("none", Operator.EXISTS, True, False),
        ("none", Operator.EXISTS, False, True),
        ("missing", Operator.EXISTS, False, True),
        ("pages", Operator.GREATER_THAN, 3.0, False),
        ("pages", Operator.AT_LEAST, 3.0, True),
        ("pages", Operator.LESS_THAN, 3.0, False),
        ("pages", Operator.AT_MOST, 3.0, True),
        ("trial", Operator.AT_LEAST, 0.0, False),
        ("plan", Operator.AT_LEAST, 0.0, False),
        ("missing", Operator.LESS_THAN, 3.0, False),
        ("company.size", Operator.EQUALS, 9, True),
        ("company.hq.city", Operator.EXISTS, True, False),
        ("company.size.x", Operator.EXISTS, True, False),
        ("plan.x", Operator.EXISTS, True, False),
    ],
)
def test_an_operator(name: str, operator: Operator, operand: object, *, expected: bool) -> None:
    test = all_of([Condition(name, operator, operand)])
    assert test is not None
    assert test(VALUES) is expected


def test_a_path_reads_nested_structures() -> None:
    test = all_of([Condition("company.size", Operator.EQUALS, 250)])
    assert test is not None
    assert test({"company": {"size": 250.0}})


@pytest.mark.parametrize(
    ("operator", "operand"),
    [
        (Operator.EQUALS, "PRO PLUS"),
        (Operator.IN, ("x", "pRO pLUS")),
        (Operator.CONTAINS, "O P"),
        (Operator.STARTS_WITH, "PRO"),
    ],
)
def test_case_may_be_ignored(operator: Operator, operand: object) -> None:
    test = all_of([Condition("plan", operator, operand, ignore_case=True)])
    assert test is not None
    assert test(VALUES)


def test_all_conditions_must_hold() -> None:
    holds, fails = Condition("pages", Operator.AT_LEAST, 2.0), Condition("plan", Operator.EQUALS, "Free")
    assert all_of([]) is None
    for conditions, expected in (([holds, holds], True), ([holds, fails], False)):
        test = all_of(conditions)
        assert test is not None
        assert test(VALUES) is expected
