"""Triggers: what must happen in the change of a lead for a rule to fire."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from automation_service.domain.lead import DECAY, Change, LeadEvent, Transition
from automation_service.domain.limits import InvalidRule, check_distinct, check_range, check_text

MAX_DAYS = 3650
"""The maximum number of days of inactivity that a rule can wait for."""


def in_days(days: int) -> str:
    """Returns a number of days as text, such as `1 day`."""
    return "1 day" if days == 1 else f"{days} days"


class Direction(StrEnum):
    """The direction in which a score crosses a threshold."""

    UPWARD = "upward"
    DOWNWARD = "downward"


@dataclass(frozen=True, slots=True)
class WhileConditionHolds:
    """Occurs in every change, so the conditions alone decide."""

    def occurs(self, change: Change, transition: Transition) -> bool:
        """Returns whether the trigger occurs in a transition of a change."""
        return True

    def check(self) -> None:
        """Accepts it, because it has no fields."""

    def __str__(self) -> str:
        return "the conditions hold after a change"


@dataclass(frozen=True, slots=True)
class StageEntered:
    """Occurs when a lead enters one of the stages."""

    stages: tuple[str, ...]

    def occurs(self, change: Change, transition: Transition) -> bool:
        """Returns whether the trigger occurs in a transition of a change."""
        return any(after in self.stages for after in transition.stages[1:])

    def check(self) -> None:
        """Checks the fields; see `check_trigger`."""
        _check_stages("trigger.stage_entered.stages", self.stages)

    def __str__(self) -> str:
        return f"the lead enters stage {' or '.join(self.stages)}"


@dataclass(frozen=True, slots=True)
class StageLeft:
    """Occurs when a lead leaves one of the stages."""

    stages: tuple[str, ...]

    def occurs(self, change: Change, transition: Transition) -> bool:
        """Returns whether the trigger occurs in a transition of a change."""
        return any(before in self.stages for before in transition.stages[:-1])

    def check(self) -> None:
        """Checks the fields; see `check_trigger`."""
        _check_stages("trigger.stage_left.stages", self.stages)

    def __str__(self) -> str:
        return f"the lead leaves stage {' or '.join(self.stages)}"


@dataclass(frozen=True, slots=True)
class ScoreCrossed:
    """Occurs when a score crosses a threshold, in points. A score at the threshold counts as above."""

    threshold: int
    direction: Direction

    def occurs(self, change: Change, transition: Transition) -> bool:
        """Returns whether the trigger occurs in a transition of a change."""
        upward = self.direction is Direction.UPWARD
        steps = pairwise(transition.scores if upward else transition.scores[::-1])
        return any(low < self.threshold <= high for low, high in steps)

    def check(self) -> None:
        """Accepts every threshold."""

    def __str__(self) -> str:
        return f"the score crosses {self.threshold} {self.direction}"


@dataclass(frozen=True, slots=True)
class EventReceived:
    """Occurs when an event of this type is scored."""

    event_type: str

    def occurs(self, change: Change, transition: Transition) -> bool:
        """Returns whether the trigger occurs in a transition of a change."""
        return any(event.event_type == self.event_type for event in transition.events)

    def check(self) -> None:
        """Checks the fields; see `check_trigger`."""
        check_text("trigger.event_received.event_type", self.event_type, required=True)

    def __str__(self) -> str:
        return f"an event of type {self.event_type} is scored"


@dataclass(frozen=True, slots=True)
class Inactive:
    """Occurs when a daily run finds that a lead has had no event for this many whole days.

    A rule fires once per period of inactivity; see `Candidate`.
    """

    days: int

    def occurs(self, change: Change, transition: Transition) -> bool:
        """Returns whether the trigger occurs in a transition of a change."""
        return DECAY in change.kinds and not change.event_types and change.inactive_days >= self.days

    def check(self) -> None:
        """Checks the fields; see `check_trigger`."""
        check_range("trigger.inactive.days", self.days, 1, MAX_DAYS)

    def __str__(self) -> str:
        return f"the daily run finds the lead without an event for {in_days(self.days)}"


def events_of(trigger: "Trigger", transition: Transition) -> Sequence[LeadEvent]:
    """Returns the events that a rule can fire for, of a transition in which its trigger occurs.

    If several late events together moved a lead, the last of them counts as the one that did.
    """
    match trigger:
        case WhileConditionHolds():
            return transition.events
        case EventReceived(event_type):
            return [event for event in transition.events if event.event_type == event_type]
        case _:
            return transition.events[-1:]


Trigger = WhileConditionHolds | StageEntered | StageLeft | ScoreCrossed | EventReceived | Inactive


def check_trigger(trigger: Trigger) -> None:
    """Checks a trigger, except that its stages are stages of the model.

    Raises:
        InvalidRule: The trigger is not valid.
    """
    trigger.check()


def _check_stages(field: str, stages: Sequence[str]) -> None:
    if not stages:
        raise InvalidRule(field, "must name at least one stage")
    check_distinct(field, stages)
