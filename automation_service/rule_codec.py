"""Converts rules between the domain and protobuf. Secrets are read from requests but never written to responses."""

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.struct_pb2 import Value as ProtoValue
from leadscore.automation.v1 import automation_pb2 as pb

from automation_service.domain.action import Action
from automation_service.domain.condition import AttributeCondition, Conditions, Value
from automation_service.domain.lead import Risk
from automation_service.domain.limits import InvalidRule
from automation_service.domain.preset import Preset
from automation_service.domain.receiver import Email, Receiver, Slack, Webhook
from automation_service.domain.rule import Draft, Per, Rule
from automation_service.domain.trigger import (
    Direction,
    EventReceived,
    Inactive,
    ScoreCrossed,
    StageEntered,
    StageLeft,
    Trigger,
    WhileConditionHolds,
)
from automation_service.domain.url import origin
from shared import wire
from shared.conditions import Operator

_RISKS = {pb.RISK_UNSPECIFIED: None, pb.RISK_LOW: Risk.LOW, pb.RISK_HIGH: Risk.HIGH}
RISK_NUMBERS = {risk: number for number, risk in _RISKS.items()}
"""The number of each risk in the proto."""
_PERS = {pb.PER_UNSPECIFIED: Per.DATE, pb.PER_DATE: Per.DATE, pb.PER_EVENT: Per.EVENT}
_DIRECTIONS = {pb.DIRECTION_UPWARD: Direction.UPWARD, pb.DIRECTION_DOWNWARD: Direction.DOWNWARD}
_DIRECTION_NUMBERS = {direction: number for number, direction in _DIRECTIONS.items()}
_OPERATORS = {pb.Operator.Value(f"OPERATOR_{each.name}"): each for each in Operator}
_PRESETS = {pb.PRESET_UNSPECIFIED: Preset.NONE} | {
    pb.Preset.Value(f"PRESET_{each.name}"): each for each in Preset if each is not Preset.NONE
}

K = TypeVar("K")
V = TypeVar("V")


def read_rule(rule: pb.AutomationRule) -> Draft:
    """Returns the rule in a request.

    Raises:
        InvalidRule: An enum has an unknown number, or an action has no receiver.
    """
    return Draft(
        rule_id=rule.rule_id,
        display_name=rule.display_name,
        enabled=rule.enabled,
        conditions=_read_conditions(rule.conditions),
        trigger=_read_trigger(rule.trigger),
        actions=tuple(_read_action(index, each) for index, each in enumerate(rule.actions)),
        cool_down_days=rule.cool_down_days,
        per=_known("per", _PERS, rule.per),
    )


def write_rule(rule: Rule) -> pb.AutomationRule:
    """Returns a stored rule without its secrets, and with the origins of URLs only."""
    draft = rule.draft
    return pb.AutomationRule(
        rule_id=draft.rule_id,
        display_name=draft.display_name,
        enabled=draft.enabled,
        conditions=_write_conditions(draft.conditions),
        trigger=_write_trigger(draft.trigger),
        actions=[_write_action(each) for each in draft.actions],
        cool_down_days=draft.cool_down_days,
        per=pb.PER_EVENT if draft.per is Per.EVENT else pb.PER_UNSPECIFIED,
        revision=rule.revision,
        create_time=wire.to_timestamp(rule.create_time),
        update_time=wire.to_timestamp(rule.update_time),
        disable_reason=rule.disable_reason,
    )


def _read_conditions(conditions: pb.Conditions) -> Conditions:
    return Conditions(
        stages=tuple(conditions.stages),
        minimum_score=conditions.minimum_score if conditions.HasField("minimum_score") else None,
        minimum_velocity=conditions.minimum_velocity if conditions.HasField("minimum_velocity") else None,
        risk=_known("conditions.risk", _RISKS, conditions.risk),
        maximum_score=conditions.maximum_score if conditions.HasField("maximum_score") else None,
        maximum_velocity=conditions.maximum_velocity if conditions.HasField("maximum_velocity") else None,
        next_actions=tuple(conditions.next_actions),
        fit_grades=tuple(conditions.fit_grades),
        attributes=tuple(_read_attribute(index, each) for index, each in enumerate(conditions.attributes)),
    )


def _write_conditions(conditions: Conditions) -> pb.Conditions:
    return pb.Conditions(
        stages=conditions.stages,
        minimum_score=conditions.minimum_score,
        minimum_velocity=conditions.minimum_velocity,
        risk=RISK_NUMBERS[conditions.risk],
        maximum_score=conditions.maximum_score,
        maximum_velocity=conditions.maximum_velocity,
        next_actions=conditions.next_actions,
        fit_grades=conditions.fit_grades,
        attributes=[_write_attribute(each) for each in conditions.attributes],
    )


def _read_attribute(index: int, condition: pb.AttributeCondition) -> AttributeCondition:
    path = f"conditions.attributes[{index}]"
    return AttributeCondition(
        condition.attribute,
        _known(f"{path}.operator", _OPERATORS, condition.operator),
        tuple(_read_value(f"{path}.values[{number}]", value) for number, value in enumerate(condition.values)),
        condition.ignore_case,
    )


def _write_attribute(condition: AttributeCondition) -> pb.AttributeCondition:
    return pb.AttributeCondition(
        attribute=condition.attribute,
        operator=f"OPERATOR_{condition.operator.name}",
        values=[_write_value(value) for value in condition.values],
        ignore_case=condition.ignore_case,
    )


def _read_value(path: str, value: ProtoValue) -> Value:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return value.number_value
        case "bool_value":
            return value.bool_value
        case _:
            raise InvalidRule(path, "must be text, a number, or a boolean")


def _write_value(value: Value) -> ProtoValue:
    if isinstance(value, bool):
        return ProtoValue(bool_value=value)
    return ProtoValue(string_value=value) if isinstance(value, str) else ProtoValue(number_value=value)


def _read_trigger(trigger: pb.Trigger) -> Trigger:
    match trigger.WhichOneof("kind"):
        case "stage_entered":
            return StageEntered(tuple(trigger.stage_entered.stages))
        case "stage_left":
            return StageLeft(tuple(trigger.stage_left.stages))
        case "score_crossed":
            crossed = trigger.score_crossed
            direction = _known("trigger.score_crossed.direction", _DIRECTIONS, crossed.direction)
            return ScoreCrossed(crossed.threshold, direction)
        case "event_received":
            return EventReceived(trigger.event_received.event_type)
        case "inactive":
            return Inactive(trigger.inactive.days)
        case _:
            return WhileConditionHolds()


def _write_trigger(trigger: Trigger) -> pb.Trigger:
    match trigger:
        case StageEntered(stages):
            return pb.Trigger(stage_entered=pb.StageEntered(stages=stages))
        case StageLeft(stages):
            return pb.Trigger(stage_left=pb.StageLeft(stages=stages))
        case ScoreCrossed(threshold, direction):
            crossed = pb.ScoreCrossed(threshold=threshold, direction=_DIRECTION_NUMBERS[direction])
            return pb.Trigger(score_crossed=crossed)
        case EventReceived(event_type):
            return pb.Trigger(event_received=pb.EventReceived(event_type=event_type))
        case Inactive(days):
            return pb.Trigger(inactive=pb.Inactive(days=days))
        case WhileConditionHolds():
            return pb.Trigger(while_condition_holds=pb.WhileConditionHolds())


def _read_action(index: int, action: pb.Action) -> Action:
    return Action(
        action_id=action.action_id or str(index + 1),
        receiver=_read_receiver(index, action),
        preset=_known(f"actions[{index}].preset", _PRESETS, action.preset),
        parameters=dict(action.parameters),
    )


def _read_receiver(index: int, action: pb.Action) -> Receiver:
    match action.WhichOneof("receiver"):
        case "webhook":
            return Webhook(action.webhook.url, tuple(action.webhook.secrets))
        case "slack":
            return Slack(action.slack.url, action.slack.text)
        case "email":
            email = action.email
            return Email(tuple(email.to), email.to_attribute, email.subject, email.body)
        case _:
            raise InvalidRule(f"actions[{index}]", "must have a receiver: webhook, slack, or email")


def _write_action(action: Action) -> pb.Action:
    written = pb.Action(action_id=action.action_id, preset=_preset_name(action.preset), parameters=action.parameters)
    match action.receiver:
        case Webhook(url=url):
            written.webhook.url = origin(url)
        case Slack(url, text):
            written.slack.MergeFrom(pb.Slack(url=origin(url), text=text))
        case Email(to, to_attribute, subject, body):
            written.email.MergeFrom(pb.Email(to=to, to_attribute=to_attribute, subject=subject, body=body))
    return written


def _preset_name(preset: Preset) -> str:
    return f"PRESET_{'UNSPECIFIED' if preset is Preset.NONE else preset.name}"


def _known(path: str, table: Mapping[K, V], number: K) -> V:
    if number not in table:
        raise InvalidRule(path, f"{number} is not a known value")
    return table[number]
