"""Rows ⇄ domain: the rows of rules, executions and changes."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from automation_service.domain.condition import AttributeCondition, Conditions
from automation_service.domain.delivery import Attempt, Delivery, ExecutionState
from automation_service.domain.execution import Execution, Key
from automation_service.domain.lead import Change, LeadEvent, Risk, Row, Transition
from automation_service.domain.rule import Draft, Per, Rule
from automation_service.domain.sealing import Cipher
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
from automation_service.store.receivers import read_action, write_action
from shared.conditions import Operator
from shared.contracts.score_changes import ScoreChange, changes_in
from shared.mongo import Document


def read_changes(row: Document) -> list[Change]:
    """Returns the changes that a row of the inbox `score_changes` holds.

    Raises:
        ValueError: It holds none.
    """
    found = Row(row["_id"], row["partition"])
    changes = [_read_change(found, change) for change in changes_in(row)]
    if not changes:
        raise ValueError("the row has no changes")
    return changes


def _read_change(row: Row, change: ScoreChange) -> Change:
    return Change(
        row=row,
        lead_id=change.lead_id,
        sequence=change.sequence,
        scores=change.scores,
        stages=change.stages,
        event_types=change.event_types,
        date_bucket=change.date_bucket,
        last_event_time=change.last_event_time,
        inactive_days=change.inactive_days,
        kinds=change.kinds,
        transitions=tuple(
            Transition(each.scores, each.stages, tuple(LeadEvent(*event) for event in each.events))
            for each in change.transitions
        ),
    )


def write_rule(rule: Rule, cipher: Cipher) -> Document:
    """Returns a rule's row, in which its secrets are encrypted."""
    draft = rule.draft
    return {
        "_id": draft.rule_id,
        "display_name": draft.display_name,
        "enabled": draft.enabled,
        "trigger": write_trigger(draft.trigger),
        "conditions": asdict(draft.conditions),
        "actions": [write_action(draft.rule_id, action, cipher) for action in draft.actions],
        "cool_down_days": draft.cool_down_days,
        "per": draft.per.value,
        "revision": rule.revision,
        "create_time": rule.create_time,
        "update_time": rule.update_time,
        "disable_reason": rule.disable_reason,
    }


def read_rule(row: Document) -> Rule:
    """Returns a rule from its row."""
    draft = Draft(
        rule_id=row["_id"],
        display_name=row["display_name"],
        enabled=row["enabled"],
        conditions=_read_conditions(row["conditions"]),
        trigger=read_trigger(row["trigger"]),
        actions=tuple(read_action(action) for action in row["actions"]),
        cool_down_days=row["cool_down_days"],
        per=Per(row["per"]),
    )
    return Rule(draft, row["revision"], row["create_time"], row["update_time"], row["disable_reason"])


def write_trigger(trigger: Trigger) -> Document:
    """Returns a trigger as a part of its rule's row, with its kind."""
    kind = {
        WhileConditionHolds: "while_condition_holds",
        StageEntered: "stage_entered",
        StageLeft: "stage_left",
        ScoreCrossed: "score_crossed",
        EventReceived: "event_received",
        Inactive: "inactive",
    }[type(trigger)]
    return {"kind": kind, **asdict(trigger)}


def read_trigger(row: Document) -> Trigger:
    """Returns a trigger from the result of `write_trigger`."""
    match row["kind"]:
        case "stage_entered":
            return StageEntered(tuple(row["stages"]))
        case "stage_left":
            return StageLeft(tuple(row["stages"]))
        case "score_crossed":
            return ScoreCrossed(row["threshold"], Direction(row["direction"]))
        case "event_received":
            return EventReceived(row["event_type"])
        case "inactive":
            return Inactive(row["days"])
        case _:
            return WhileConditionHolds()


def write_execution(execution: Execution, partition: int) -> Document:
    """Returns an execution's row; it has a `traceparent` only if that is set."""
    row = {
        "_id": execution.execution_id,
        "partition": partition,
        **execution.key._asdict(),
        "event": {"event_id": execution.event_id, "event_type": execution.event_type},
        "state": execution.state.value,
        "change_sequence": execution.change_sequence,
        "score": execution.score,
        "stage_before": execution.stage_before,
        "stage_after": execution.stage_after,
        "velocity": execution.velocity,
        "risk": execution.risk.value,
        "next_action": execution.next_action,
        "why": list(execution.why),
        "last_event_time": execution.last_event_time,
        "record_time": execution.record_time,
        "deliveries": [write_delivery(delivery) for delivery in execution.deliveries],
    }
    return row | {"traceparent": execution.traceparent} if execution.traceparent else row


def read_execution(row: Document) -> Execution:
    """Returns an execution from its row."""
    return Execution(
        key=Key(row["lead_id"], row["rule_id"], row["date_bucket"], row["event_id"]),
        **row["event"],
        change_sequence=row["change_sequence"],
        score=row["score"],
        stage_before=row["stage_before"],
        stage_after=row["stage_after"],
        velocity=row["velocity"],
        risk=Risk(row["risk"]),
        next_action=row["next_action"],
        why=tuple(row["why"]),
        last_event_time=row["last_event_time"],
        record_time=row["record_time"],
        deliveries=tuple(read_delivery(delivery) for delivery in row["deliveries"]),
        traceparent=row.get("traceparent", ""),
    )


def write_delivery(delivery: Delivery) -> Document:
    """Returns a delivery as a part of its execution's row. Durations are in milliseconds."""
    return {
        "delivery_id": delivery.delivery_id,
        "action_id": delivery.action_id,
        "receiver": delivery.receiver,
        "endpoint": delivery.endpoint,
        "body": delivery.body,
        "recipients": list(delivery.recipients),
        "state": delivery.state.value,
        "due_time": delivery.due_time,
        "tries": delivery.tries,
        "refusals": delivery.refusals,
        "attempts": [
            {
                "attempt_time": attempt.attempt_time,
                "milliseconds": attempt.duration // timedelta(milliseconds=1),
                "status": attempt.status,
                "error": attempt.error,
                "answer": attempt.answer,
            }
            for attempt in delivery.attempts
        ],
        "lease": delivery.lease,
    }


def read_delivery(row: Document) -> Delivery:
    """Returns a delivery from its part of an execution's row."""
    return Delivery(
        delivery_id=row["delivery_id"],
        action_id=row["action_id"],
        receiver=row["receiver"],
        endpoint=row["endpoint"],
        body=row["body"],
        recipients=tuple(row["recipients"]),
        state=ExecutionState(row["state"]),
        due_time=row["due_time"],
        tries=row["tries"],
        refusals=row["refusals"],
        attempts=tuple(
            Attempt(
                each["attempt_time"],
                timedelta(milliseconds=each["milliseconds"]),
                each["status"],
                each["error"],
                each["answer"],
            )
            for each in row["attempts"]
        ),
        lease=row["lease"],
    )


def _derived_state() -> Any:  # noqa: ANN401 (a MongoDB expression)
    expression: Any = ExecutionState.DELIVERED.value
    for state in (ExecutionState.CANCELLED, ExecutionState.FAILED, ExecutionState.PENDING):
        expression = {"$cond": [{"$in": [state.value, "$deliveries.state"]}, state.value, expression]}
    return expression


DERIVE_STATE: Document = {"$set": {"state": _derived_state()}}
"""An update stage that sets the state of an execution, which has deliveries, as `state_of` computes it."""


def _read_conditions(row: Document) -> Conditions:
    return Conditions(
        **row
        | {
            "stages": tuple(row["stages"]),
            "next_actions": tuple(row["next_actions"]),
            "fit_grades": tuple(row["fit_grades"]),
            "risk": None if row["risk"] is None else Risk(row["risk"]),
            "attributes": tuple(
                AttributeCondition(
                    each["attribute"],
                    Operator(each["operator"]),
                    tuple(each["values"]),
                    each.get("ignore_case", False),
                )
                for each in row["attributes"]
            ),
        }
    )
