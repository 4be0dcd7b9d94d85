"""Conditions on the properties of an event or the attributes of a lead: a fixed list of comparisons, never code."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Values = Mapping[str, Any]
"""JSON values by name."""
Test = Callable[[Values], bool]
"""Returns whether a condition holds for some values."""


class Operator(StrEnum):
    """The comparisons, by the names that they have in a model file."""

    EQUALS = "equals"
    ONE_OF = "in"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    EXISTS = "exists"
    GREATER_THAN = "greater_than"
    AT_LEAST = "at_least"
    LESS_THAN = "less_than"
    AT_MOST = "at_most"


@dataclass(frozen=True, slots=True)
class Condition:
    """Compares one property with an operand.

    The operand is a scalar for EQUALS, a tuple of scalars for ONE_OF, a text for CONTAINS and STARTS_WITH, a bool for
    EXISTS, and a float for the comparisons of numbers. A property that is missing or null fails all but EXISTS false.
    """

    property: str
    operator: Operator
    operand: Any
    ignore_case: bool = False


def all_of(conditions: Iterable[Condition]) -> Test | None:
    """Compiles conditions into one test that asks for all of them; None when there are none."""
    tests = tuple(_compiled(condition) for condition in conditions)
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda values: all(test(values) for test in tests)


def key_of(value: object, *, ignore_case: bool = False) -> tuple[str, Any] | None:
    """Returns what two scalars share when they are equal, also in type; None for what is no scalar."""
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int | float):
        return "number", value
    if isinstance(value, str):
        return "text", value.casefold() if ignore_case else value
    return None


def _compiled(condition: Condition) -> Test:
    find, holds = _finder(condition.property), _comparison(condition)
    if "." in condition.property:
        return lambda values: holds(find(values))
    # Most properties are on the top level. This is the hot path of every event, so one call must do for the most common
    # comparison.
    name, operand = condition.property, condition.operand
    if condition.operator is Operator.EQUALS and isinstance(operand, str) and not condition.ignore_case:
        return lambda values: values.get(name) == operand
    return lambda values: holds(values.get(name))


def _finder(name: str) -> Callable[[Values], Any]:
    path = name.split(".")

    def find(values: Values) -> object:
        if name in values:
            return values[name]
        found: object = values
        for part in path:
            found = found.get(part) if isinstance(found, Mapping) else None
        return found

    return find


def _comparison(condition: Condition) -> Callable[[Any], bool]:
    operand, ignore_case = condition.operand, condition.ignore_case
    match condition.operator:
        case Operator.EQUALS:
            return _is_one_of((operand,), ignore_case=ignore_case)
        case Operator.ONE_OF:
            return _is_one_of(operand, ignore_case=ignore_case)
        case Operator.CONTAINS:
            return _contains(operand, ignore_case=ignore_case)
        case Operator.STARTS_WITH:
            return _starts_with(operand, ignore_case=ignore_case)
        case Operator.EXISTS:
            return lambda value: (value is not None) is operand
        case _:
            return _number_comparison(condition.operator, operand)


def _is_one_of(operands: Iterable[Any], *, ignore_case: bool) -> Callable[[Any], bool]:
    operands = tuple(operands)
    if not ignore_case and all(isinstance(operand, str) for operand in operands):
        texts = frozenset(operands)
        return lambda value: isinstance(value, str) and value in texts
    keys = frozenset(key_of(operand, ignore_case=ignore_case) for operand in operands)
    return lambda value: value is not None and key_of(value, ignore_case=ignore_case) in keys


def _contains(operand: str, *, ignore_case: bool) -> Callable[[Any], bool]:
    wanted = operand.casefold() if ignore_case else operand

    def holds(value: object) -> bool:
        if isinstance(value, str):
            return wanted in (value.casefold() if ignore_case else value)
        key = ("text", wanted)
        return isinstance(value, list) and any(key_of(item, ignore_case=ignore_case) == key for item in value)

    return holds


def _starts_with(operand: str, *, ignore_case: bool) -> Callable[[Any], bool]:
    if ignore_case:
        folded = operand.casefold()
        return lambda value: isinstance(value, str) and value.casefold().startswith(folded)
    return lambda value: isinstance(value, str) and value.startswith(operand)


def _number_comparison(operator: Operator, bound: float) -> Callable[[Any], bool]:
    compare: dict[Operator, Callable[[Any], bool]] = {
        Operator.GREATER_THAN: lambda number: number > bound,
        Operator.AT_LEAST: lambda number: number >= bound,
        Operator.LESS_THAN: lambda number: number < bound,
        Operator.AT_MOST: lambda number: number <= bound,
    }
    holds = compare[operator]
    return lambda value: isinstance(value, float | int) and not isinstance(value, bool) and holds(value)
