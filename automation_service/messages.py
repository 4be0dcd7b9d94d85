"""Protobuf ⇄ domain. What is secret in a rule comes in and never goes out."""

from collections.abc import Mapping
from typing import TypeVar

from google.protobuf.struct_pb2 import Value as ProtoValue
from leadscore.automation.v1 import automation_pb2 as pb

from automation_service.domain.action import Action, Email, Preset, Receiver, Slack, Webhook, origin
from automation_service.domain.condition import AttributeCondition, Conditions, Operator, Outcome, Value
from automation_service.domain.delivery import Attempt, Delivery, ExecutionState
from automation_service.domain.execution import Execution
from automation_service.domain.lead import Change, Risk
from automation_service.domain.limits import InvalidRule
from automation_service.domain.rule import Draft, Rule
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
from shared import wire
from shared.inbox.parking import Parked

_RISKS = {pb.RISK_UNSPECIFIED: None, pb.RISK_LOW: Risk.LOW, pb.RISK_HIGH: Risk.HIGH}
_RISKS_ON_THE_WIRE = {risk: number for number, risk in _RISKS.items()}
_DIRECTIONS = {pb.DIRECTION_UPWARD: Direction.UPWARD, pb.DIRECTION_DOWNWARD: Direction.DOWNWARD}
_DIRECTIONS_ON_THE_WIRE = {direction: number for number, direction in _DIRECTIONS.items()}
_OPERATORS = {pb.Operator.Value(f"OPERATOR_{each.name}"): each for each in Operator}
_PRESETS = {pb.PRESET_UNSPECIFIED: Preset.NONE} | {
    pb.Preset.Value(f"PRESET_{each.name}"): each for each in Preset if each is not Preset.NONE
}
STATES = {pb.ExecutionState.Value(f"EXECUTION_STATE_{each.name}"): each for each in ExecutionState}
"""The states that the domain knows, by their number on the wire."""

K = TypeVar("K")
V = TypeVar("V")


def read_rule(rule: pb.AutomationRule) -> Draft:
    """Returns what a caller says of a rule.

    Raises:
        InvalidRule: Something has a number that this version does not know, or is missing where it must not.
    """
    return Draft(
        rule_id=rule.rule_id,
        display_name=rule.display_name,
        enabled=rule.enabled,
        conditions=_read_conditions(rule.conditions),
        trigger=_read_trigger(rule.trigger),
        actions=tuple(_read_action(index, each) for index, each in enumerate(rule.actions)),
        cool_down_days=rule.cool_down_days,
    )


def write_rule(rule: Rule) -> pb.AutomationRule:
    """Returns a stored rule, without its secrets."""
    draft, asked = rule.draft, rule.draft.conditions
    return pb.AutomationRule(
        rule_id=draft.rule_id,
        display_name=draft.display_name,
        enabled=draft.enabled,
        conditions=pb.Conditions(
            stages=asked.stages,
            minimum_score=asked.minimum_score,
            minimum_velocity=asked.minimum_velocity,
            risk=_RISKS_ON_THE_WIRE[asked.risk],
            maximum_score=asked.maximum_score,
            maximum_velocity=asked.maximum_velocity,
            next_actions=asked.next_actions,
            fit_grades=asked.fit_grades,
            attributes=[_write_attribute(each) for each in asked.attributes],
        ),
        trigger=_write_trigger(draft.trigger),
        actions=[_write_action(each) for each in draft.actions],
        cool_down_days=draft.cool_down_days,
        revision=rule.revision,
        create_time=wire.to_timestamp(rule.create_time),
        update_time=wire.to_timestamp(rule.update_time),
        disable_reason=rule.disable_reason,
    )


def write_execution(execution: Execution, *, with_bodies: bool) -> pb.AutomationExecution:
    """Returns an execution, with what its deliveries say or without."""
    return pb.AutomationExecution(
        execution_id=execution.execution_id,
        rule_id=execution.key.rule_id,
        lead_id=execution.key.lead_id,
        date_bucket=execution.key.date_bucket,
        state=f"EXECUTION_STATE_{execution.state.name}",
        change_sequence=execution.change_sequence,
        score=execution.score,
        stage_before=execution.stage_before,
        stage_after=execution.stage_after,
        velocity=execution.velocity,
        risk=_RISKS_ON_THE_WIRE[execution.risk],
        next_action=execution.next_action,
        record_time=wire.to_timestamp(execution.record_time),
        why=execution.why,
        deliveries=[write_delivery(each, with_body=with_bodies) for each in execution.deliveries],
    )


def write_delivery(delivery: Delivery, *, with_body: bool) -> pb.Delivery:
    """Returns a delivery, with what it says or without."""
    is_pending = delivery.state is ExecutionState.PENDING
    return pb.Delivery(
        delivery_id=delivery.delivery_id,
        action_id=delivery.action_id,
        receiver=delivery.receiver,
        endpoint=delivery.endpoint,
        state=f"EXECUTION_STATE_{delivery.state.name}",
        next_attempt_time=wire.to_timestamp(delivery.due_time) if is_pending else None,
        attempts=[_write_attempt(each) for each in delivery.attempts],
        body=delivery.body if with_body else b"",
    )


def write_check(outcome: Outcome) -> pb.Check:
    """Returns what became of a condition."""
    return pb.Check(field=outcome.field, holds=outcome.holds, explanation=outcome.explanation)


def write_parked(parked: Parked) -> pb.ParkedChange:
    """Returns a parked change."""
    return pb.ParkedChange(
        change_id=parked.row_id,
        lead_id=parked.row["lead_id"],
        attempts=parked.attempts,
        reason=parked.reason,
        reason_code=f"PARK_REASON_CODE_{parked.reason_code.value}",
        park_time=wire.to_timestamp(parked.park_time),
    )


def _read_conditions(asked: pb.Conditions) -> Conditions:
    return Conditions(
        stages=tuple(asked.stages),
        minimum_score=asked.minimum_score if asked.HasField("minimum_score") else None,
        minimum_velocity=asked.minimum_velocity if asked.HasField("minimum_velocity") else None,
        risk=_known("conditions.risk", _RISKS, asked.risk),
        maximum_score=asked.maximum_score if asked.HasField("maximum_score") else None,
        maximum_velocity=asked.maximum_velocity if asked.HasField("maximum_velocity") else None,
        next_actions=tuple(asked.next_actions),
        fit_grades=tuple(asked.fit_grades),
        attributes=tuple(_read_attribute(index, each) for index, each in enumerate(asked.attributes)),
    )


def _read_attribute(index: int, asked: pb.AttributeCondition) -> AttributeCondition:
    place = f"conditions.attributes[{index}]"
    return AttributeCondition(
        asked.attribute,
        _known(f"{place}.operator", _OPERATORS, asked.operator),
        tuple(_read_value(f"{place}.values[{number}]", value) for number, value in enumerate(asked.values)),
    )


def _read_value(place: str, value: ProtoValue) -> Value:
    match value.WhichOneof("kind"):
        case "string_value":
            return value.string_value
        case "number_value":
            return value.number_value
        case "bool_value":
            return value.bool_value
        case _:
            raise InvalidRule(place, "is neither a text, a number nor a truth value")


def _write_attribute(asked: AttributeCondition) -> pb.AttributeCondition:
    return pb.AttributeCondition(
        attribute=asked.attribute,
        operator=f"OPERATOR_{asked.operator.name}",
        values=[_write_value(value) for value in asked.values],
    )


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
            crossed = pb.ScoreCrossed(threshold=threshold, direction=_DIRECTIONS_ON_THE_WIRE[direction])
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
            raise InvalidRule(f"actions[{index}]", "has no receiver, must have a webhook, slack or email")


def _write_action(action: Action) -> pb.Action:
    written = pb.Action(action_id=action.action_id, preset=_preset_name(action.preset), parameters=action.parameters)
    match action.receiver:
        case Webhook(url=url):
            written.webhook.url = url
        case Slack(url, text):
            written.slack.MergeFrom(pb.Slack(url=origin(url), text=text))
        case Email(to, to_attribute, subject, body):
            written.email.MergeFrom(pb.Email(to=to, to_attribute=to_attribute, subject=subject, body=body))
    return written


def _preset_name(preset: Preset) -> str:
    return f"PRESET_{'UNSPECIFIED' if preset is Preset.NONE else preset.name}"


def _write_attempt(attempt: Attempt) -> pb.Attempt:
    written = pb.Attempt(
        attempt_time=wire.to_timestamp(attempt.attempt_time),
        status=attempt.status,
        error=attempt.error,
        answer=attempt.answer,
    )
    written.duration.FromTimedelta(attempt.duration)
    return written


def _known(place: str, table: Mapping[K, V], number: K) -> V:
    if number not in table:
        raise InvalidRule(place, f"{number} is none of those that are known")
    return table[number]


def read_supposed(change: pb.SupposedChange) -> Change:
    """Returns a change that has not happened: no event caused it, and it was recorded on no date."""
    return Change(
        change_id="",
        lead_id=change.lead_id,
        sequence=0,
        scores=tuple(dict.fromkeys((change.score_before, change.score_after))),
        stages=tuple(dict.fromkeys((change.stage_before, change.stage_after))),
        event_types=(),
        date_bucket="",
        last_event_time=wire.EPOCH,
        inactive_days=0,
    )
