"""The conditions that a lead must meet for a rule to fire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from math import isfinite
from typing import Any, TypeGuard

from automation_service.domain.lead import Facts, Risk
from automation_service.domain.limits import InvalidRule, check_distinct, check_text
from shared.conditions import Condition, Operator, Test, all_of, value_of

FIT_GRADES = ("A", "B", "C", "D")
MAX_ATTRIBUTES = 20
"""The maximum number of attribute conditions of a rule."""
MAX_VALUES = 100
"""The maximum number of values of one attribute condition."""
MAX_VALUE_CHARACTERS = 4096

Value = str | float | bool
"""A value that an attribute is compared with."""


_NUMERIC = (Operator.LESS_THAN, Operator.AT_MOST, Operator.GREATER_THAN, Operator.AT_LEAST)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


@dataclass(frozen=True)
class AttributeCondition:
    """A condition of `shared.conditions` on an attribute of the lead.

    `values` are the values to compare with: one or more for IN, none or one bool for EXISTS, otherwise exactly one.
    """

    attribute: str
    operator: Operator
    values: tuple[Value, ...] = ()
    ignore_case: bool = False

    def holds(self, attributes: Mapping[str, Any]) -> bool:
        """Returns whether the attributes of a lead meet the condition."""
        return self._test is not None and self._test(attributes)

    @cached_property
    def _test(self) -> Test | None:
        """The condition, compiled once per rule instead of once per lead."""
        return all_of([Condition(self.attribute, self.operator, self._operand, self.ignore_case)])

    @property
    def _operand(self) -> Value | tuple[Value, ...]:
        if self.operator is Operator.IN:
            return self.values
        return self.values[0] if self.values else True  # only EXISTS can have no value

    def __str__(self) -> str:
        if self.operator is Operator.EXISTS:
            return f"attribute {self.attribute} {'exists' if self._operand else 'does not exist'}"
        values = " or ".join(repr(value) for value in self.values)
        case = ", ignoring case" if self.ignore_case else ""
        return f"attribute {self.attribute} {self.operator.replace('_', ' ')} {values}{case}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether one condition holds; `field` is its path in the rule, `explanation` a sentence for people."""

    field: str
    holds: bool
    explanation: str


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a rule. All of them must hold; a field that is empty or None sets no condition.

    To add a condition, add a field here and a line to `outcomes`.
    """

    stages: tuple[str, ...] = ()
    minimum_score: int | None = None
    minimum_velocity: int | None = None
    risk: Risk | None = None
    maximum_score: int | None = None
    maximum_velocity: int | None = None
    next_actions: tuple[str, ...] = ()
    attributes: tuple[AttributeCondition, ...] = ()
    fit_grades: tuple[str, ...] = ()

    def can_hold(self, stage: str, score: int) -> bool:
        """Returns whether the conditions on stage and score hold, which is necessary but not sufficient."""
        return (
            (not self.stages or stage in self.stages)
            and (self.minimum_score is None or score >= self.minimum_score)
            and (self.maximum_score is None or score <= self.maximum_score)
        )

    def hold(self, facts: Facts) -> bool:
        """Returns whether all conditions hold."""
        return all(outcome.holds for outcome in self.outcomes(facts))

    def outcomes(self, facts: Facts) -> Iterator[Outcome]:
        """Yields the outcome of each condition that is set."""
        yield from _among("stages", "stage", facts.stage, self.stages)
        yield from _at_least("minimum_score", "score", facts.score, self.minimum_score)
        yield from _at_least("minimum_velocity", "velocity", facts.velocity, self.minimum_velocity)
        yield from _among("risk", "risk", facts.risk, (self.risk,) if self.risk else ())
        yield from _at_most("maximum_score", "score", facts.score, self.maximum_score)
        yield from _at_most("maximum_velocity", "velocity", facts.velocity, self.maximum_velocity)
        yield from _among("next_actions", "next action", facts.next_action, self.next_actions)
        yield from _among("fit_grades", "fit grade", facts.fit_grade or "none", self.fit_grades)
        for index, each in enumerate(self.attributes):
            found = value_of(facts.attributes, each.attribute)
            explanation = f"{each}: the lead has {'none' if found is None else repr(found)}"
            yield Outcome(f"conditions.attributes[{index}]", each.holds(facts.attributes), explanation)


def check_conditions(conditions: Conditions) -> None:
    """Checks conditions, except that their stages are stages of the model.

    Raises:
        InvalidRule: A condition is not valid.
    """
    check_distinct("conditions.stages", conditions.stages)
    check_distinct("conditions.next_actions", conditions.next_actions)
    check_distinct("conditions.fit_grades", conditions.fit_grades)
    for index, grade in enumerate(conditions.fit_grades):
        if grade not in FIT_GRADES:
            raise InvalidRule(f"conditions.fit_grades[{index}]", f"{grade[:20]!r} is none of {', '.join(FIT_GRADES)}")
    for name in ("minimum_velocity", "maximum_velocity"):
        velocity = getattr(conditions, name)
        if velocity is not None and velocity < 0:
            raise InvalidRule(f"conditions.{name}", f"is {velocity}, must not be negative")
    if len(conditions.attributes) > MAX_ATTRIBUTES:
        raise InvalidRule("conditions.attributes", f"has {len(conditions.attributes)}, at most {MAX_ATTRIBUTES}")
    for index, each in enumerate(conditions.attributes):
        _check_attribute(f"conditions.attributes[{index}]", each)


def asks_nothing(conditions: Conditions) -> bool:
    """Returns whether no condition is set."""
    return all(getattr(conditions, field.name) in ((), None) for field in fields(conditions))


def _check_attribute(field: str, asked: AttributeCondition) -> None:
    check_text(f"{field}.attribute", asked.attribute, required=True)
    least, limit = {Operator.EXISTS: (0, 1), Operator.IN: (1, MAX_VALUES)}.get(asked.operator, (1, 1))
    if not least <= len(asked.values) <= limit:
        wanted = f"{least}" if least == limit else f"{least} to {limit}"
        raise InvalidRule(f"{field}.values", f"has {len(asked.values)}, must have {wanted} for {asked.operator}")
    for index, value in enumerate(asked.values):
        path = f"{field}.values[{index}]"
        if isinstance(value, str):
            check_text(path, value, limit=MAX_VALUE_CHARACTERS)
        if asked.operator is Operator.STARTS_WITH and not isinstance(value, str):
            raise InvalidRule(path, "is not a string")
        if asked.operator is Operator.EXISTS and not isinstance(value, bool):
            raise InvalidRule(path, "is neither true nor false")
        if not (isfinite(value) if _is_number(value) else asked.operator not in _NUMERIC):
            raise InvalidRule(path, "is not a number")


def _among(field: str, name: str, found: str, asked: tuple[str, ...]) -> Iterator[Outcome]:
    if asked:
        yield Outcome(f"conditions.{field}", found in asked, f"{name} is {found}, must be {' or '.join(asked)}")


def _at_least(field: str, name: str, found: int, asked: int | None) -> Iterator[Outcome]:
    if asked is not None:
        yield Outcome(f"conditions.{field}", found >= asked, f"{name} is {found}, must be at least {asked}")


def _at_most(field: str, name: str, found: int, asked: int | None) -> Iterator[Outcome]:
    if asked is not None:
        yield Outcome(f"conditions.{field}", found <= asked, f"{name} is {found}, must be at most {asked}")
