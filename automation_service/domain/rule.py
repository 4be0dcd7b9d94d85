"""A rule, and the limits that it must keep."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MOST_CHARACTERS = 256
"""Characters in an id or a name."""


class Risk(StrEnum):
    """How likely a lead is to be lost."""

    LOW = "low"
    HIGH = "high"


class InvalidRule(Exception):
    """A rule breaks a limit. `field` is its path in the rule, `str(error)` a sentence for the caller."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field


class RuleExists(Exception):
    """There is a rule with this id already."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"there is a rule {rule_id!r} already")


class RuleNotFound(Exception):
    """There is no rule with this id."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"there is no rule {rule_id!r}")


class RuleChanged(Exception):
    """A rule was changed by someone else since it was read."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"rule {rule_id!r} was changed since it was read: read it again")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold for a rule to fire; an empty tuple and None ask for nothing."""

    stages: tuple[str, ...] = ()
    minimum_score: int | None = None
    minimum_velocity: int | None = None
    risk: Risk | None = None

    def can_hold(self, stage: str, score: int) -> bool:
        """Tells whether all that is asked of stage and score holds."""
        return (not self.stages or stage in self.stages) and _reaches(score, self.minimum_score)

    def hold(self, stage: str, score: int, velocity: int, risk: Risk) -> bool:
        """Tells whether all that is asked holds."""
        return self.can_hold(stage, score) and _reaches(velocity, self.minimum_velocity) and self.risk in (None, risk)


@dataclass(frozen=True, slots=True)
class Draft:
    """What the caller says of a rule."""

    rule_id: str
    display_name: str
    enabled: bool
    conditions: Conditions


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is stored. `revision` is 1, 2, 3 …; the times are aware, in UTC, in whole milliseconds."""

    draft: Draft
    revision: int
    create_time: datetime
    update_time: datetime


def check_rule(draft: Draft) -> None:
    """Checks a rule against the limits, but for the names of its stages.

    Raises:
        InvalidRule: It breaks one; the first in the order of the fields is named.
    """
    if not draft.rule_id:
        raise InvalidRule("rule_id", "is empty")
    _check_text("rule_id", draft.rule_id)
    _check_text("display_name", draft.display_name)
    if draft.conditions == Conditions():
        raise InvalidRule("conditions", "has no condition, must have at least one")
    _check_distinct(draft.conditions.stages)
    velocity = draft.conditions.minimum_velocity
    if velocity is not None and velocity < 0:
        raise InvalidRule("conditions.minimum_velocity", f"is {velocity}, must not be negative")


def check_stages(conditions: Conditions, known: Sequence[str]) -> None:
    """Checks that the model has the stages of some conditions.

    Raises:
        InvalidRule: It does not have one of them.
    """
    _check_stages(conditions.stages, lambda stage: stage in known, f"is no stage of the model: {', '.join(known)}")


def _check_distinct(stages: Sequence[str]) -> None:
    _check_stages(stages, lambda stage: stages.count(stage) == 1, "is named twice")


def _check_stages(stages: Sequence[str], is_sound: Callable[[str], bool], flaw: str) -> None:
    for index, stage in enumerate(stages):
        if not is_sound(stage):
            raise InvalidRule(f"conditions.stages[{index}]", f"{stage[:MOST_CHARACTERS]!r} {flaw}")


def _check_text(field: str, text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise InvalidRule(field, f"has {len(text)} characters, at most {MOST_CHARACTERS} are allowed")
    if "\0" in text:
        raise InvalidRule(field, "contains a NUL character")


def _reaches(value: int, minimum: int | None) -> bool:
    return minimum is None or value >= minimum
