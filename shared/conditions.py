"""The condition language of models and rules: comparisons of event properties and lead attributes, never code.

Guarantee: pure, and the same answer for the same condition and values, whether a model or a rule asks.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Values = Mapping[str, Any]
"""JSON values by name."""
Test = Callable[[Values], bool]
"""Returns whether a condition holds for some values."""


class Operator(StrEnum):
    """The comparisons, by their names in model and rule files."""

    EQUALS = "equals"
    IN = "in"
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

    The operand is a scalar for EQUALS and CONTAINS, a tuple of scalars for IN, a string for STARTS_WITH, a bool for
    EXISTS, and a number for the other operators. If the property is missing or null, only EXISTS false holds.

    `company.size` is the property of that name or, if there is none, the property `size` of the property `company`.
    """

    property: str
    operator: Operator
    operand: Any
    ignore_case: bool = False


def all_of(conditions: Iterable[Condition]) -> Test | None:
    """Compiles conditions into one test that requires all of them; None if there are none."""
    tests = tuple(_compiled(condition) for condition in conditions)
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda values: all(test(values) for test in tests)


def value_of(values: Values, name: str) -> object:
    """Returns the value that a condition on `name` compares; None if it is missing."""
    return _finder(name)(values)


def key_of(value: object, *, ignore_case: bool = False) -> tuple[str, Any] | None:
    """Returns a key that two scalars share if they are equal and of one type; None for anything but a scalar."""
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
    # Most properties are top-level, and every event takes this path: the most common comparison needs a single call.
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
        case Operator.IN:
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


def _contains(operand: object, *, ignore_case: bool) -> Callable[[Any], bool]:
    key = key_of(operand, ignore_case=ignore_case)
    wanted = key[1] if key and isinstance(operand, str) else None

    def holds(value: object) -> bool:
        if isinstance(value, str):
            return wanted is not None and wanted in (value.casefold() if ignore_case else value)
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
