"""What must occur in a change of a lead for a rule to fire."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from automation_service.domain.lead import DECAY, Change
from automation_service.domain.limits import InvalidRule, check_distinct, check_range, check_text

MAX_DAYS = 3650
"""Days of silence that a rule can wait for."""


class Direction(StrEnum):
    """The direction in which a score crosses a threshold."""

    UPWARD = "upward"
    DOWNWARD = "downward"


@dataclass(frozen=True, slots=True)
class WhileConditionHolds:
    """Occurs in every change."""

    def occurs(self, change: Change) -> bool:
        """Tells whether the trigger occurs in a change."""
        return True

    def check(self) -> None:
        """Checks the limits."""

    def __str__(self) -> str:
        return "the conditions hold after a change"


@dataclass(frozen=True, slots=True)
class StageEntered:
    """Occurs when a lead comes into one of the stages from another one."""

    stages: tuple[str, ...]

    def occurs(self, change: Change) -> bool:
        """Tells whether the trigger occurs in a change."""
        return any(after in self.stages for after in change.stages[1:])

    def check(self) -> None:
        """Checks the limits; see `check_trigger`."""
        _check_stages("trigger.stage_entered.stages", self.stages)

    def __str__(self) -> str:
        return f"the lead enters stage {' or '.join(self.stages)}"


@dataclass(frozen=True, slots=True)
class StageLeft:
    """Occurs when a lead leaves one of the stages for another one."""

    stages: tuple[str, ...]

    def occurs(self, change: Change) -> bool:
        """Tells whether the trigger occurs in a change."""
        return any(before in self.stages for before in change.stages[:-1])

    def check(self) -> None:
        """Checks the limits; see `check_trigger`."""
        _check_stages("trigger.stage_left.stages", self.stages)

    def __str__(self) -> str:
        return f"the lead leaves stage {' or '.join(self.stages)}"


@dataclass(frozen=True, slots=True)
class ScoreCrossed:
    """Occurs when a score crosses a threshold, in points; the threshold itself lies above."""

    threshold: int
    direction: Direction

    def occurs(self, change: Change) -> bool:
        """Tells whether the trigger occurs in a change."""
        upward = self.direction is Direction.UPWARD
        steps = pairwise(change.scores if upward else change.scores[::-1])
        return any(low < self.threshold <= high for low, high in steps)

    def check(self) -> None:
        """Checks the limits; every threshold is one."""

    def __str__(self) -> str:
        return f"the score crosses {self.threshold} {self.direction}"


@dataclass(frozen=True, slots=True)
class EventReceived:
    """Occurs when an event of a type was scored."""

    event_type: str

    def occurs(self, change: Change) -> bool:
        """Tells whether the trigger occurs in a change."""
        return self.event_type in change.event_types

    def check(self) -> None:
        """Checks the limits; see `check_trigger`."""
        check_text("trigger.event_received.event_type", self.event_type, required=True)

    def __str__(self) -> str:
        return f"an event of type {self.event_type} is scored"


@dataclass(frozen=True, slots=True)
class Inactive:
    """Occurs when decay finds that a lead has had no event for so many whole days.

    A rule fires once per silence: see `Candidate`.
    """

    days: int

    def occurs(self, change: Change) -> bool:
        """Tells whether the trigger occurs in a change."""
        return DECAY in change.kinds and not change.event_types and change.inactive_days >= self.days

    def check(self) -> None:
        """Checks the limits; see `check_trigger`."""
        check_range("trigger.inactive.days", self.days, 1, MAX_DAYS)

    def __str__(self) -> str:
        return f"decay finds the lead without an event for {self.days} days"


Trigger = WhileConditionHolds | StageEntered | StageLeft | ScoreCrossed | EventReceived | Inactive


def check_trigger(trigger: Trigger) -> None:
    """Checks a trigger against its limits, but for the names of its stages.

    Raises:
        InvalidRule: It breaks one.
    """
    trigger.check()


def _check_stages(field: str, stages: Sequence[str]) -> None:
    if not stages:
        raise InvalidRule(field, "names no stage, must name at least one")
    check_distinct(field, stages)
