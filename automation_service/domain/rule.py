"""A rule, and the limits that it must keep. Its parts: `trigger.py`, `condition.py`, `action.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from automation_service.domain.action import Action, check_actions
from automation_service.domain.condition import Conditions, asks_nothing, check_conditions
from automation_service.domain.limits import InvalidRule, check_range, check_text
from automation_service.domain.trigger import StageEntered, StageLeft, Trigger, WhileConditionHolds, check_trigger

MAX_COOL_DOWN_DAYS = 365


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


class RuleDisabled(Exception):
    """A rule is disabled or deleted, so nothing of it is delivered."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"rule {rule_id!r} is disabled or deleted: enable it first")


@dataclass(frozen=True, slots=True)
class Draft:
    """What the caller says of a rule. `cool_down_days` are days after a firing in which it does not fire again."""

    rule_id: str
    display_name: str
    enabled: bool
    conditions: Conditions
    trigger: Trigger = field(default_factory=WhileConditionHolds)
    actions: tuple[Action, ...] = ()
    cool_down_days: int = 0

    def action(self, action_id: str) -> Action | None:
        """Returns the action with an id, None when there is none."""
        return next((action for action in self.actions if action.action_id == action_id), None)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is stored. `revision` is 1, 2, 3 …; the times are aware, in UTC, in whole milliseconds.

    `disable_reason` tells why the service has disabled it; it is empty when it has not.
    """

    draft: Draft
    revision: int
    create_time: datetime
    update_time: datetime
    disable_reason: str = ""


def check_rule(draft: Draft, *, allow_http: bool = False) -> None:
    """Checks a rule against the limits, but for the names of its stages, its hosts and its templates.

    Raises:
        InvalidRule: It breaks one.
    """
    check_text("rule_id", draft.rule_id, required=True)
    check_text("display_name", draft.display_name)
    check_trigger(draft.trigger)
    if asks_nothing(draft.conditions) and isinstance(draft.trigger, WhileConditionHolds):
        raise InvalidRule("conditions", "has no condition, must have at least one")
    check_conditions(draft.conditions)
    check_actions(draft.actions, allow_http=allow_http)
    check_range("cool_down_days", draft.cool_down_days, 0, MAX_COOL_DOWN_DAYS)


def check_stages(draft: Draft, known: Sequence[str]) -> None:
    """Checks that the model has the stages that a rule names.

    Raises:
        InvalidRule: It does not have one of them.
    """
    named = {"conditions.stages": draft.conditions.stages}
    match draft.trigger:
        case StageEntered(stages):
            named["trigger.stage_entered.stages"] = stages
        case StageLeft(stages):
            named["trigger.stage_left.stages"] = stages
    for place, stages in named.items():
        for index, stage in enumerate(stages):
            if stage not in known:
                raise InvalidRule(f"{place}[{index}]", f"{stage!r} is no stage of the model: {', '.join(known)}")
