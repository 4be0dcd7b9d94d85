"""A rule and its validation. The parts are in `trigger.py`, `condition.py` and `action.py`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from automation_service.domain.action import Action, check_actions
from automation_service.domain.condition import Conditions, asks_nothing, check_conditions
from automation_service.domain.limits import InvalidRule, check_range, check_text
from automation_service.domain.trigger import (
    Inactive,
    StageEntered,
    StageLeft,
    Trigger,
    WhileConditionHolds,
    check_trigger,
)

MAX_COOL_DOWN_DAYS = 365


class RuleExists(Exception):
    """A rule with this id exists."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"rule {rule_id!r} already exists")


class RuleNotFound(Exception):
    """No rule has this id."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"rule {rule_id!r} does not exist")


class RuleChanged(Exception):
    """Someone else has changed the rule since it was read."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"rule {rule_id!r} has changed since it was read; read it again")


class RuleDisabled(Exception):
    """A rule is disabled or deleted, so it delivers nothing."""

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"rule {rule_id!r} is disabled or deleted; enable it first")


class Per(StrEnum):
    """How often a rule fires for a lead: at most once per date, or once for each event."""

    DATE = "date"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule as the caller defines it. After it fires, it does not fire again for `cool_down_days` days per lead."""

    rule_id: str
    display_name: str
    enabled: bool
    conditions: Conditions
    trigger: Trigger = field(default_factory=WhileConditionHolds)
    actions: tuple[Action, ...] = ()
    cool_down_days: int = 0
    per: Per = Per.DATE

    def action(self, action_id: str) -> Action | None:
        """Returns the action with this id, or None."""
        return next((action for action in self.actions if action.action_id == action_id), None)


@dataclass(frozen=True, slots=True)
class Rule:
    """A stored rule. `revision` counts from 1; the times are aware, in UTC, in whole milliseconds.

    `disable_reason` says why the service has disabled the rule, and is empty if it has not.
    """

    draft: Draft
    revision: int
    create_time: datetime
    update_time: datetime
    disable_reason: str = ""


def check_rule(draft: Draft, *, allow_http: bool = False) -> None:
    """Checks everything about a rule that needs neither the model, nor a name server, nor the template language.

    Raises:
        InvalidRule: The rule is not valid.
    """
    check_text("rule_id", draft.rule_id, required=True)
    check_text("display_name", draft.display_name)
    check_trigger(draft.trigger)
    if asks_nothing(draft.conditions) and isinstance(draft.trigger, WhileConditionHolds):
        raise InvalidRule("conditions", "must not be empty unless the rule has a trigger")
    check_conditions(draft.conditions)
    check_actions(draft.actions, allow_http=allow_http)
    check_range("cool_down_days", draft.cool_down_days, 0, MAX_COOL_DOWN_DAYS)
    if draft.per is Per.EVENT:
        _check_per_event(draft)


def _check_per_event(draft: Draft) -> None:
    if draft.cool_down_days:
        raise InvalidRule("cool_down_days", "must be 0 for a rule that fires for each event")
    if isinstance(draft.trigger, Inactive):
        raise InvalidRule("per", "must not be event for the trigger inactive, which no event causes")


def check_stages(draft: Draft, known: Sequence[str]) -> None:
    """Checks that the stages in a rule are stages of the model.

    Raises:
        InvalidRule: A stage is unknown.
    """
    named = {"conditions.stages": draft.conditions.stages}
    match draft.trigger:
        case StageEntered(stages):
            named["trigger.stage_entered.stages"] = stages
        case StageLeft(stages):
            named["trigger.stage_left.stages"] = stages
    for path, stages in named.items():
        for index, stage in enumerate(stages):
            if stage not in known:
                raise InvalidRule(f"{path}[{index}]", f"{stage!r} is not a stage of the model: {', '.join(known)}")
